package admin_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
)

// parts is a form in parts, in the order of names and values, "name=value" each.
func (o *operator) parts(p string, fields ...string) *answer {
	o.Helper()
	var b strings.Builder
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		b.WriteString("--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n")
	}
	return o.body(p, b.String()+"--b--\r\n")
}

// body posts a form in parts as it travels.
func (o *operator) body(p, text string) *answer {
	o.Helper()
	r := httptest.NewRequest(http.MethodPost, path(p), strings.NewReader(text))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return o.send(r)
}

// A field that has one value by its declaration is refused when a form has it
// twice, in either kind of form; those of many values are not.
func TestForms_Twice(t *testing.T) {
	each(t, func(w *world) {
		dan := w.driver("Dan Driver")
		post, entry := w.post(dan, nil), w.entry(dan, calendar.On(w.clock.now()), earnings.ExpenseItem{Category: "fuel", Amount: 10})
		group, err := w.accounts.CreateGroup(w.Context(), account.System(account.SourceCommand), account.GroupDetails{Name: "Desk", Permissions: []string{"posts:view", "posts:change"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{"posts/" + itoa(post.ID) + "/", "entries/" + itoa(entry.ID) + "/", "groups/" + itoa(group.ID) + "/"} {
			fields := w.root.get(p).want(http.StatusOK).fields()
			fields["_current_password"], fields["_then"] = []string{goodPassword}, []string{"continue"}
			before := w.dump()
			for name, values := range fields {
				if name == "permissions" || len(values) == 0 {
					continue
				}
				twice := form{}
				for other, v := range fields {
					twice[other] = v
				}
				twice[name] = append(slices.Clone(values), values[0])
				w.root.post(p, twice).want(http.StatusBadRequest)
				var list []string
				for other, v := range twice {
					for _, value := range v {
						list = append(list, other+"="+value)
					}
				}
				w.root.parts(p, list...).want(http.StatusBadRequest)
			}
			for column, value := range w.dump() {
				if before[column] != value {
					t.Errorf("%s: %s went from %q to %q", p, column, before[column], value)
				}
			}
			w.root.post(p, fields).want(http.StatusSeeOther)
		}
		// Fields that no resource declares may be sent only once as well.
		token := w.root.token
		photos := "posts/" + itoa(post.ID) + "/photos/"
		w.root.parts(photos, "_token="+token, "x=1", "x=2").want(http.StatusBadRequest)
		w.root.parts(photos, "_token="+token, "file=", "file=").want(http.StatusBadRequest)
		photo := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n" + string(mediatest.JPEG(30, 20)) + "\r\n"
		field := func(name, value string) string {
			return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
		}
		w.root.body(photos, field("_token", token)+photo+photo+"--b--\r\n").want(http.StatusBadRequest)
		w.root.body(photos, field("_token", token)+photo+field("file.name", "b.jpg")+"--b--\r\n").want(http.StatusBadRequest)
		// A form that is cut off, or has another boundary, is no form.
		for _, body := range []string{"", "x", "--c--\r\n", field("_token", token) + photo + "--b\r\n", field("_token", token) + photo + "--b\r\nContent-", field("_token", token) + photo} {
			w.root.body(photos, body).want(http.StatusBadRequest)
		}
		if n := w.count(`SELECT COUNT(*) FROM upload`); n != 0 {
			t.Errorf("%d photos came with what was refused", n)
		}
		w.root.body(photos, field("_token", token)+photo+"--b--").want(http.StatusSeeOther)
		// So is the sign-in.
		r := httptest.NewRequest(http.MethodPost, path("login/"), strings.NewReader(url.Values{"email": {"root@example.com", "x"}, "password": {goodPassword}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		w.stranger().send(r).want(http.StatusBadRequest)
		// Rows that are ticked are many.
		w.root.get("posts/")
		w.root.post("posts/", form{"_action": {"approve"}, "_id": {itoa(post.ID), itoa(w.post(dan, nil).ID)}}).want(http.StatusSeeOther)
	})
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// A form that is announced to be too large is refused before it is read.
func TestForms_Announced(t *testing.T) {
	w := newWorld(t, memory(t))
	for _, tt := range []struct {
		path, kind string
		size       int64
	}{
		{"login/", "application/x-www-form-urlencoded", 65 << 10},
		{"login/", "multipart/form-data; boundary=b", 65 << 10},
		{"users/add/", "application/x-www-form-urlencoded", 1<<20 + 1},
		{"users/add/", "multipart/form-data; boundary=b", 11<<20 + 1},
	} {
		r := httptest.NewRequest(http.MethodPost, path(tt.path), unread{t})
		r.ContentLength = tt.size
		r.Header.Set("Content-Type", tt.kind)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		w.root.send(r).want(http.StatusRequestEntityTooLarge)
	}
}
