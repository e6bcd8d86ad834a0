package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/ridecopilot/ridecopilot/internal/browsertest"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
)

// legacyPage does what the older client does: it signs up and in, posts a car
// with a photo by the fields of the form, shows it, edits it with a new photo,
// uses the calculator, and signs out.
const legacyPage = `<!doctype html><html lang="en"><title>older client</title><img id="shown" alt="the photo"><script>
async function walk(api, first, second) {
	const said = []
	async function call(method, path, body) {
		const form = body instanceof FormData
		const res = await fetch(api + '/api/' + path, {
			method, credentials: 'include', headers: form || !body ? {} : {'Content-Type': 'application/json'}, body: form ? body : body && JSON.stringify(body),
		})
		const text = await res.text()
		if (!res.ok) throw new Error(method + ' ' + path + ' = ' + res.status + ' ' + text)
		return text && JSON.parse(text)
	}
	async function show(url) {
		const shown = document.getElementById('shown')
		await new Promise((yes, no) => { shown.onload = yes; shown.onerror = () => no(new Error('the image does not show')); shown.src = url })
		said.push(shown.naturalWidth + 'x' + shown.naturalHeight)
	}
	const file = base64 => new File([Uint8Array.from(atob(base64), c => c.charCodeAt(0))], 'front.jpg', {type: 'image/jpeg'})

	await call('POST', 'register', {name: 'Ana', email: 'ana@example.com', password: 'Drumul-Taberei-34'})
	await call('POST', 'login', {email: 'ana@example.com', password: 'Drumul-Taberei-34'})
	said.push((await call('GET', 'user')).name)
	if (document.cookie) throw new Error('the page sees the cookie')
	const post = await call('POST', 'add-carpost', {
		car_name: 'Dacia', model: 'Logan', version: '', year: '2020', engine: '1.0', fuel: 'GPL', body: 'sedan', transmission: 'manual', gear_number: '5', color: 'alb',
		seat_number: '5', door_number: '', milleage: '84 000 km', power: '90', mpg: '', description: '', emission_standard: 'Euro 6', location: '', contact: '', price: '280', image: {},
	})
	const begun = await call('POST', 'upload/direct/start', {file_name: 'front.jpg', file_type: 'image/jpeg', car_post_id: post.id})
	const form = new FormData()
	for (const [name, value] of Object.entries(begun.fields)) form.append(name, value)
	form.append('file', file(first))
	const sent = await fetch(begun.url, {method: 'POST', body: form, credentials: 'include'})
	if (!sent.ok) throw new Error('upload = ' + sent.status + ' ' + await sent.text())
	await call('POST', 'upload/direct/finish', {file_id: begun.id})
	await show((await call('GET', 'get-image-by-post-id/' + post.id)).url)

	const edit = new FormData()
	edit.append('color', 'verde')
	edit.append('image', file(second))
	said.push((await call('PUT', 'update-ridepost/' + post.id, edit)).color)
	await show((await call('GET', 'get-image-by-post-id/' + post.id)).url)
	said.push((await call('GET', 'get-carposts/1')).count)

	await call('POST', 'add-calculator-entry', {app_income: '420.50', commission: '25', expenses: '120', earnings: '195'})
	said.push((await call('GET', 'get-recent-calculator-entries?days=7'))[0].earnings)
	await call('POST', 'logout')
	const out = await fetch(api + '/api/user', {credentials: 'include'})
	said.push(out.status)
	return said.join(' ')
}
</script></html>`

func TestLegacyClient_Browser(t *testing.T) {
	page := pageServer(t, legacyPage)
	chromium := browsertest.Start(t)
	storages(t, func(t *testing.T, env []string, args ...string) {
		s, hosts := serveFor(t, page.URL, env, args...)
		p := browsertest.NewTab(chromium, t)
		p.Do(t, chromedp.Navigate(page.URL))
		got, err := chromedp.Run(p.Ctx, chromedp.Evaluate[string](
			fmt.Sprintf("walk(%q, %q, %q)", s.base, base64Of(mediatest.FromPhone(640, 480)), base64Of(mediatest.JPEG(320, 200))), chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		if want := "Ana 480x640 verde 320x200 1 195.00 403"; got != want {
			t.Errorf("the page says %q, want %q", got, want)
		}
		p.Fine(t, hosts...)
	})
}

// Pages of configured origins are let in with credentials, others are not; and
// the whole API can be switched off (promises B1 and B3).
func TestLegacyAPI_B1_B3(t *testing.T) {
	env := append(sqlite(t), "CORS_ALLOWED_ORIGINS=https://app.example.com")
	s := serve(t, env)
	for origin, want := range map[string]string{"https://app.example.com": "https://app.example.com", "http://localhost:3000": "", "https://evil.example": ""} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, s.base+"/api/update-calculator-entry/1", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		req.Header.Set("Access-Control-Request-Method", "PATCH")
		req.Header.Set("Access-Control-Request-Headers", "content-type")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		credentials := res.Header.Get("Access-Control-Allow-Credentials")
		if got := res.Header.Get("Access-Control-Allow-Origin"); got != want || (credentials == "true") != (want != "") || res.StatusCode/100 != 2 {
			t.Errorf("preflight of %s = %d, allowed %q with credentials %q", origin, res.StatusCode, got, credentials)
		}
	}
	if status, body := ask(t, http.MethodPost, s.base+"/api/register", "", `{}`); status != http.StatusBadRequest || !strings.Contains(body, "This field is required.") {
		t.Errorf("register = %d %s", status, body)
	}
	// A compressed body is refused before any handler, in the form the client shows.
	if status, body := ask(t, http.MethodPut, s.base+"/api/update-ridepost/1", "", `{}`, "Content-Encoding", "gzip"); status != 415 || !strings.Contains(body, `"Message":"Compressed`) {
		t.Errorf("update-ridepost = %d %s", status, body)
	}
	if status, body := ask(t, http.MethodPost, s.base+"/api/register", "", `{}`, "Content-Encoding", "gzip"); status != 415 || !strings.Contains(body, `"error":["Compressed`) {
		t.Errorf("register = %d %s", status, body)
	}
	s.stop(t)
	s = serve(t, append(env, "LEGACY_API=off"))
	if status, _ := ask(t, http.MethodPost, s.base+"/api/register", "", `{}`); status != http.StatusNotFound {
		t.Errorf("with LEGACY_API=off register = %d, want 404", status)
	}
	s.stop(t)
	command(t, []string{"COOKIE_SAMESITE=none"}, "", "config", "check").ended(t, 2, "COOKIE_SAMESITE=none needs")
	command(t, []string{"COOKIE_SAMESITE=strict"}, "", "config", "check").ended(t, 2, "COOKIE_SAMESITE must be")
}
