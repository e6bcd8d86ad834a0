package httpapi

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

const description = `The server of Rideshare Copilot V2: accounts, car posts, the earnings calculator, documents and settings of ride-hailing drivers.

* JSON in UTF-8, snake_case. Times are RFC 3339 in UTC, days are YYYY-MM-DD.
* Money is a decimal string with two places; numbers and numeric strings are taken.
* Sign in at /api/auth/login/ and send the access token as "Authorization: Bearer …".
* Errors are problem documents (RFC 9457) that name every bad field at once.
* Lists have count, next, previous and results; page and page_size, or cursor where the list can grow large.
* Single objects and lists have an ETag. If-None-Match gives 304; If-Match on a change gives 412 when the object has changed since.
* POSTs that create honour an Idempotency-Key for 24 hours.`

// importWords describes the import of entries.
const importWords = `The columns of the export, in any order and case; date and app_income are required. All lines or none: a refused file is answered with 400 and a report by line.

Files are taken as spreadsheets save them: UTF-8 or UTF-16, commas, semicolons or tabs (also named by a first line sep=;), with semicolons decimal commas, points between thousands, and days as 04.05.2026; blank rows and separators at the end are passed over. application/vnd.ms-excel and text/plain are other names of the same.

The same file twice does not double. A line with the number of an entry of one's own is that entry, and changes what it says. Any other line is a new entry, unless the same line was imported before, or the same entry is there, as many times as the file has it. A number of another account counts as none.`

var tags = []*huma.Tag{
	{Name: tagAuth, Description: "Signing up, in and out; tokens, sessions and passwords."},
	{Name: tagUser, Description: "One's own account."},
	{Name: tagCarPosts, Description: "Cars for rent or sale."},
	{Name: tagCalculator, Description: "What was earned: income less commission and expenses."},
	{Name: tagDocuments, Description: "Papers, when they expire, and what to renew."},
	{Name: tagSettings, Description: "Preferences."},
	{Name: tagAbout, Description: "The API itself."},
}

const (
	tagAuth       = "Auth"
	tagUser       = "User"
	tagCarPosts   = "Car posts"
	tagCalculator = "Calculator"
	tagDocuments  = "Documents"
	tagSettings   = "Settings"
	tagAbout      = "About"
)

// register is every route of the API. A route is closed unless it says open
// (promise Z5).
func (a *API) register() {
	const (
		get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
		throttled, stale           = http.StatusTooManyRequests, http.StatusPreconditionFailed
		again, forbidden, conflict = http.StatusForbidden, http.StatusForbidden, http.StatusConflict
		noCredential               = http.StatusUnauthorized
		missing                    = http.StatusNotFound
	)

	// Auth.
	handle(a, operation{
		method: post, path: "/api/auth/register/", id: "register", tag: tagAuth, open: true, status: 201, problems: []int{throttled, forbidden},
		summary: "Open an account", description: "Sends a mail with a link that confirms the address. Where addresses must be confirmed first, the answer is 202 without a body, for known addresses too.",
	}, a.registerUser)
	handle(a, operation{
		method: post, path: "/api/auth/login/", id: "login", tag: tagAuth, open: true, problems: []int{throttled, noCredential},
		summary: "Sign in", description: "Opens a session and gives its tokens and the user.",
	}, a.login)
	handle(a, operation{
		method: post, path: "/api/auth/token/", id: "obtain-token", tag: tagAuth, open: true, problems: []int{throttled, noCredential},
		summary: "Obtain a pair of tokens", description: "As signing in, with the tokens alone.",
	}, a.token)
	handle(a, operation{
		method: post, path: "/api/auth/token/refresh/", id: "refresh-token", tag: tagAuth, open: true, problems: []int{noCredential},
		summary: "Refresh the tokens", description: "Sent again, because the answer was lost, the refresh token gives the same tokens until one of them was used; then it ends the session, 10 seconds after the exchange at the earliest.",
	}, a.refresh)
	handle(a, operation{
		method: post, path: "/api/auth/token/verify/", id: "verify-token", tag: tagAuth, open: true, problems: []int{noCredential},
		summary: "Verify a token", description: "200 for an access or refresh token that counts, else 401.",
	}, a.verifyToken)
	handle(a, operation{
		method: post, path: "/api/auth/logout/", id: "logout", tag: tagAuth, open: true, problems: []int{noCredential},
		summary: "Sign out", description: "Ends the session of the refresh token, or without one the session that makes the request.",
	}, a.logout)
	handle(a, operation{
		method: post, path: "/api/auth/logout-all/", id: "logout-all", tag: tagAuth,
		summary: "Sign out everywhere", description: "Ends every session of the user.",
	}, a.logoutAll)
	handle(a, operation{
		method: get, path: "/api/auth/sessions/", id: "list-sessions", tag: tagAuth,
		summary: "List where one is signed in", description: "The last used first.", problems: []int{missing},
	}, a.sessions)
	handle(a, operation{
		method: del, path: "/api/auth/sessions/{id}/", id: "end-session", tag: tagAuth,
		summary: "End a session", description: "Its tokens count no longer.",
	}, a.endSession)
	handle(a, operation{
		method: post, path: "/api/auth/password/change/", id: "change-password", tag: tagAuth, problems: []int{again, throttled},
		summary: "Change the password", description: "Needs the current one and ends the other sessions.",
	}, a.changePassword)
	handle(a, operation{
		method: post, path: "/api/auth/password/reset/", id: "ask-password-reset", tag: tagAuth, open: true, status: 202, problems: []int{throttled},
		summary: "Ask for a link to reset the password", description: "The answer is the same for unknown addresses.",
	}, a.askReset)
	handle(a, operation{
		method: post, path: "/api/auth/password/reset/confirm/", id: "confirm-password-reset", tag: tagAuth, open: true, problems: []int{throttled},
		summary: "Reset the password", description: "With the token of the link: good once, for 30 minutes. Ends every session.",
	}, a.confirmReset)
	handle(a, operation{
		method: post, path: "/api/auth/email/verify/", id: "verify-email", tag: tagAuth, open: true, problems: []int{throttled},
		summary: "Confirm an address", description: "With the token of the link in the mail: of a new account, or of a new address.",
	}, a.confirmAddress)
	handle(a, operation{
		method: post, path: "/api/auth/email/verify/resend/", id: "resend-verification", tag: tagAuth, open: true, status: 202, problems: []int{throttled},
		summary: "Ask for another link to confirm the address", description: "The answer is the same for unknown addresses.",
	}, a.askVerification)

	// User.
	handle(a, operation{
		method: get, path: "/api/user/", id: "get-user", tag: tagUser,
		summary: "Read one's account", description: "The person that the token belongs to.",
	}, a.user)
	handle(a, operation{
		method: put, path: "/api/user/", id: "replace-user", tag: tagUser, problems: []int{again, stale, throttled},
		summary: "Update one's account", description: "A new address counts once its mailbox confirms it. A new address or password needs current_password.",
	}, a.replaceUser)
	handle(a, operation{
		method: patch, path: "/api/user/", id: "update-user", tag: tagUser, problems: []int{again, stale, throttled},
		summary: "Update parts of one's account", description: "As PUT, with the fields that are to change.",
	}, a.reviseUser)
	handle(a, operation{
		method: del, path: "/api/user/", id: "delete-user", tag: tagUser, problems: []int{again, stale, throttled},
		summary: "Delete one's account", description: "With all its posts, entries, documents and files. Needs the password, but for 15 minutes after signing in.",
	}, a.deleteUser)
	handle(a, operation{
		method: get, path: "/api/user/uploads/", id: "list-uploads", tag: tagUser,
		summary: "List what counts against the limits of uploads", description: "Photos and files that were begun and not completed, the latest first, and the bytes of all. Deleting one, at its post or document, gives its place back at once.",
	}, a.uploads)
	handle(a, operation{
		method: get, path: "/api/user/export/", id: "export-user", tag: tagUser,
		summary: "Export all of one's data", description: "One ZIP of JSON files.",
	}, a.exportUser)

	// Car posts.
	handle(a, operation{
		method: get, path: "/api/carposts/", id: "list-car-posts", tag: tagCarPosts, problems: []int{missing},
		summary: "List car posts", description: "What others may see; with owner=me all of one's own.",
	}, a.carPosts)
	handle(a, operation{
		method: post, path: "/api/carposts/", id: "create-car-post", tag: tagCarPosts, status: 201, creates: true, problems: []int{conflict},
		summary: "Post a car", description: "At most 200 a person.",
	}, a.createCarPost)
	handle(a, operation{
		method: get, path: "/api/carposts/facets/", id: "car-post-facets", tag: tagCarPosts,
		summary: "Count posts by make, fuel, body, transmission and location", description: "With the filters of the list; where more than 10,000 match, of the newest.",
	}, a.facets)
	handle(a, operation{
		method: get, path: "/api/carposts/{id}/", id: "get-car-post", tag: tagCarPosts,
		summary: "Read a car post", description: "One's own, or one that others may see.",
	}, a.carPost)
	handle(a, operation{
		method: put, path: "/api/carposts/{id}/", id: "replace-car-post", tag: tagCarPosts, problems: []int{forbidden, stale},
		summary: "Update a car post", description: "What is not sent returns to its default.",
	}, a.replaceCarPost)
	handle(a, operation{
		method: patch, path: "/api/carposts/{id}/", id: "update-car-post", tag: tagCarPosts, problems: []int{forbidden, stale},
		summary: "Update parts of a car post", description: "What is not sent stays as it is.",
	}, a.reviseCarPost)
	handle(a, operation{
		method: del, path: "/api/carposts/{id}/", id: "delete-car-post", tag: tagCarPosts, problems: []int{forbidden, stale},
		summary: "Delete a car post", description: "With its photos.",
	}, a.deleteCarPost)
	handle(a, operation{
		method: put, path: "/api/carposts/{id}/favorite/", id: "add-favorite", tag: tagCarPosts,
		summary: "Keep a post among the favourites", description: "Doing it twice changes nothing.",
	}, a.addFavorite)
	handle(a, operation{
		method: del, path: "/api/carposts/{id}/favorite/", id: "remove-favorite", tag: tagCarPosts,
		summary: "Take a post out of the favourites", description: "Doing it twice changes nothing.",
	}, a.removeFavorite)
	handle(a, operation{
		method: post, path: "/api/carposts/{id}/report/", id: "report-car-post", tag: tagCarPosts, status: 202, problems: []int{conflict},
		summary: "Report a post to the operators", description: "Once a person and post.",
	}, a.reportCarPost)

	// Photos of car posts.
	handle(a, operation{
		method: get, path: "/api/carposts/{id}/photos/", id: "list-photos", tag: tagCarPosts, problems: []int{forbidden},
		summary: "List the photos of a post", description: "The cover first. Others see those that are ready, the owner sees what became of each.",
	}, a.photos)
	handle(a, operation{
		method: post, path: "/api/carposts/{id}/photos/", id: "start-photo", tag: tagCarPosts, status: 201, creates: true, fresh: true, stores: true, problems: []int{forbidden},
		summary: "Begin to upload a photo", description: "Gives a permit: send the file with it straight to the storage, then complete the photo. JPEG, PNG or WebP, 10 MB and 64 megapixels at most, 20 photos a post.",
	}, a.startPhoto)
	handle(a, operation{
		method: put, path: "/api/carposts/{id}/photos/order/", id: "order-photos", tag: tagCarPosts, problems: []int{forbidden},
		summary: "Put the photos of a post in order", description: "The first is the cover.",
	}, a.orderPhotos)
	handle(a, operation{
		method: get, path: "/api/carposts/{id}/photos/{photo}/", id: "get-photo", tag: tagCarPosts,
		summary: "Read a photo", description: "To see how far a new one has come.",
	}, a.photo)
	handle(a, operation{
		method: post, path: "/api/carposts/{id}/photos/{photo}/complete/", id: "complete-photo", tag: tagCarPosts, stores: true, problems: []int{forbidden},
		summary: "Complete a photo", description: "Looks at what was uploaded. The photo is shown to others when it is ready: upright, and without what the camera wrote into it, such as the place.",
	}, a.completePhoto)
	handle(a, operation{
		method: del, path: "/api/carposts/{id}/photos/{photo}/", id: "delete-photo", tag: tagCarPosts, problems: []int{forbidden},
		summary: "Delete a photo", description: "Also one that was only begun.",
	}, a.deletePhoto)

	// Calculator.
	handle(a, operation{
		method: get, path: "/api/calculator/", id: "list-entries", tag: tagCalculator, problems: []int{missing},
		summary: "List calculator entries", description: "The newest date first.",
	}, a.entries)
	handle(a, operation{
		method: post, path: "/api/calculator/", id: "create-entry", tag: tagCalculator, status: 201, creates: true,
		summary: "Add a day's work", description: "The server computes the earnings.",
	}, a.createEntry)
	handle(a, operation{
		method: del, path: "/api/calculator/", id: "delete-named-entry", tag: tagCalculator, problems: []int{missing, stale},
		summary: "Delete the entry that the body or the query names", description: "The same as DELETE on the entry itself.",
	}, a.deleteNamedEntry)
	handle(a, operation{
		method: get, path: "/api/calculator/summary/", id: "earnings-summary", tag: tagCalculator,
		summary: "Sum up a period", description: "Totals, the period before, the series for the chart, platforms and expense categories, in one currency. Without a period, the last 30 days.",
	}, a.summary)
	handle(a, operation{
		method: get, path: "/api/calculator/export.csv", id: "export-entries", tag: tagCalculator,
		summary: "Export the entries as CSV", description: "Oldest first, in UTF-8 with a byte order mark; the import takes it back in either form.",
	}, a.exportEntries)
	handle(a, operation{
		method: post, path: "/api/calculator/import/", id: "import-entries", tag: tagCalculator, creates: true, media: csvType, maxBody: maxImport,
		summary: "Import entries from CSV", description: importWords,
	}, a.importEntries)
	handle(a, operation{
		method: get, path: "/api/calculator/{id}/", id: "get-entry", tag: tagCalculator,
		summary: "Read an entry", description: "One's own.",
	}, a.entry)
	handle(a, operation{
		method: put, path: "/api/calculator/{id}/", id: "replace-entry", tag: tagCalculator, problems: []int{stale},
		summary: "Update an entry", description: "What is not sent returns to its default.",
	}, a.replaceEntry)
	handle(a, operation{
		method: patch, path: "/api/calculator/{id}/", id: "update-entry", tag: tagCalculator, problems: []int{stale},
		summary: "Update parts of an entry", description: "What is not sent stays as it is; earnings are computed anew.",
	}, a.reviseEntry)
	handle(a, operation{
		method: del, path: "/api/calculator/{id}/", id: "delete-entry", tag: tagCalculator, problems: []int{stale},
		summary: "Delete an entry", description: "With its expense items.",
	}, a.deleteEntry)

	// Documents.
	handle(a, operation{
		method: get, path: "/api/documents/", id: "list-documents", tag: tagDocuments, problems: []int{missing},
		summary: "List documents", description: "The soonest expiry first, those that do not expire last.",
	}, a.documents)
	handle(a, operation{
		method: post, path: "/api/documents/", id: "create-document", tag: tagDocuments, status: 201, creates: true, problems: []int{conflict},
		summary: "Add a document", description: "At most 100 a person.",
	}, a.createDocument)
	handle(a, operation{
		method: get, path: "/api/documents/alerts/", id: "document-alerts", tag: tagDocuments, problems: []int{missing},
		summary: "List what is expired or expiring", description: "The soonest expiry first.",
	}, a.alerts)
	handle(a, operation{
		method: get, path: "/api/documents/{id}/", id: "get-document", tag: tagDocuments,
		summary: "Read a document", description: "One's own.",
	}, a.document)
	handle(a, operation{
		method: put, path: "/api/documents/{id}/", id: "replace-document", tag: tagDocuments, problems: []int{stale},
		summary: "Update a document", description: "What is not sent returns to its default. A new expiry starts the reminders anew.",
	}, a.replaceDocument)
	handle(a, operation{
		method: patch, path: "/api/documents/{id}/", id: "update-document", tag: tagDocuments, problems: []int{stale},
		summary: "Update parts of a document", description: "What is not sent stays as it is.",
	}, a.reviseDocument)
	handle(a, operation{
		method: del, path: "/api/documents/{id}/", id: "delete-document", tag: tagDocuments, problems: []int{stale},
		summary: "Delete a document", description: "With its file.",
	}, a.deleteDocument)

	handle(a, operation{
		method: post, path: "/api/documents/{id}/file/", id: "start-file", tag: tagDocuments, status: 201, creates: true, fresh: true, stores: true,
		summary: "Begin to upload the file of a document", description: "Gives a permit: send the file with it straight to the storage, then complete the file. PDF, JPEG, PNG or WebP, 10 MB at most.",
	}, a.startFile)
	handle(a, operation{
		method: get, path: "/api/documents/{id}/file/{file}/", id: "get-file", tag: tagDocuments,
		summary: "Read what is known of a file", description: "One's own.",
	}, a.file)
	handle(a, operation{
		method: post, path: "/api/documents/{id}/file/{file}/complete/", id: "complete-file", tag: tagDocuments, stores: true,
		summary: "Complete the file of a document", description: "Looks at what was uploaded and puts it in the place of the file before.",
	}, a.completeFile)
	handle(a, operation{
		method: del, path: "/api/documents/{id}/file/{file}/", id: "delete-file", tag: tagDocuments,
		summary: "Delete the file of a document", description: "The document stays.",
	}, a.deleteFile)

	// Settings.
	handle(a, operation{
		method: get, path: "/api/settings/", id: "get-settings", tag: tagSettings,
		summary: "Read the settings", description: "The person's preferences.",
	}, a.settings)
	handle(a, operation{
		method: put, path: "/api/settings/", id: "replace-settings", tag: tagSettings, problems: []int{again, stale, throttled},
		summary: "Update the settings", description: "What is not sent returns to its default. name and password (with current_password) change the account.",
	}, a.replaceSettings)
	handle(a, operation{
		method: patch, path: "/api/settings/", id: "update-settings", tag: tagSettings, problems: []int{again, stale, throttled},
		summary: "Update parts of the settings", description: "What is not sent stays as it is.",
	}, a.reviseSettings)
	handle(a, operation{
		method: del, path: "/api/settings/", id: "delete-account", tag: tagSettings, problems: []int{again, stale, throttled},
		summary: "Delete one's account", description: "The same as DELETE /api/user/.",
	}, a.deleteAccount)

	handle(a, operation{
		method: get, path: "/api/", id: "api-root", tag: tagAbout, open: true,
		summary: "Where to begin", description: "Names the API and where its description, its pages and its lists are.",
	}, a.root)
	for path, file := range map[string]struct {
		media string
		text  func() []byte
	}{
		"/api/openapi.json": {jsonType, a.described},
		"/api/openapi.yaml": {"application/yaml", a.asYAML},
	} {
		a.routes = append(a.routes, Route{get, path, true})
		a.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			if err := checkQuery(r.URL.RawQuery, nil); err != nil {
				a.fail(w, r, err)
				return
			}
			w.Header().Set("Content-Type", file.media)
			w.Header().Set("Cache-Control", "public, max-age=300")
			_, _ = w.Write(file.text()) // fails only if the client has gone
		})
	}
}
