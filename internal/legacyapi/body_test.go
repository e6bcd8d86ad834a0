package legacyapi_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
)

const formType = "application/x-www-form-urlencoded"

// The client sends JSON, and others what the older backend also read: forms.
func TestForms(t *testing.T) {
	each(t, func(w *world) {
		b := w.browser()
		form := func(fields ...string) []byte {
			v := url.Values{}
			for i := 0; i < len(fields); i += 2 {
				v.Add(fields[i], fields[i+1])
			}
			return []byte(v.Encode())
		}
		b.raw("POST", "register", formType, form("name", "Ană & co", "email", "form@example.com", "password", goodPassword)).want(200)
		b.raw("POST", "login", formType+"; charset=UTF-8", form("email", "form@example.com", "password", goodPassword)).want(200)
		if got := b.get("user").want(200).at("name"); got != "Ană & co" {
			t.Errorf("name = %v", got)
		}
		post := []string{}
		for name, value := range car(obj{"image": "undefined", "milleage": "84k"}) {
			post = append(post, name, fmt.Sprint(value))
		}
		r := b.raw("POST", "add-carpost", formType, form(post...)).want(200)
		if r.at("milleage") != "84000" || r.at("description") != "" {
			t.Errorf("%s", r.text)
		}
		path := fmt.Sprintf("update-ridepost/%.0f", r.at("id"))
		if got := b.raw("PUT", path, formType, form("color", "verde")).want(200); got.at("color") != "verde" {
			t.Errorf("%s", got.text)
		}
		b.raw("POST", "add-calculator-entry", formType, form("app_income", "12.50", "commission", "")).want(200)
		b.raw("POST", "add-calculator-entry", formType, form("app_income", "1", "app_income", "2")).says(400, obj{"app_income": list("This field is there more than once.")})
		b.raw("POST", "add-calculator-entry", formType, form("app_income", "1\x00")).says(400, obj{"app_income": list("Null characters are not allowed.")})
		b.raw("POST", "add-calculator-entry", formType, []byte("app_income=1;commission=2")).want(400)
		b.raw("POST", "add-calculator-entry", formType, []byte("app_income=%zz")).want(400)
		b.raw("POST", "add-calculator-entry", formType, []byte("app_income="+strings.Repeat("1", 300<<10))).want(413)
		b.raw("DELETE", "delete-ridepost", formType, form("car_post_id", fmt.Sprint(r.at("id")))).want(200)

		var parts bytes.Buffer
		m := multipart.NewWriter(&parts)
		_ = m.WriteField("app_income", "7") // a buffer
		_ = m.Close()                       // a buffer
		b.raw("POST", "add-calculator-entry", m.FormDataContentType(), parts.Bytes()).want(200)
	})
}

// A field that is there twice is refused in a form as it is in JSON.
func TestForms_Twice(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		path := fmt.Sprintf("update-ridepost/%.0f", ana.post("add-carpost", car(nil)).want(200).at("id"))
		for _, names := range [][]string{{"color", "color"}, {"image", "image"}, {"x", "color", "x"}, {"", ""}} {
			for _, value := range []string{"verde", "undefined"} {
				var body bytes.Buffer
				m := multipart.NewWriter(&body)
				for _, name := range names {
					_ = m.WriteField(name, value) // a buffer
				}
				_ = m.Close() // a buffer
				r := ana.raw("PUT", path, m.FormDataContentType(), body.Bytes()).want(400)
				if said, _ := r.at("Message").(string); !strings.HasSuffix(said, "This field is there more than once.") {
					t.Errorf("%v: %s", names, r.text)
				}
			}
		}
		ana.raw("PUT", path, "application/json", []byte(`{"color":"a","color":"b"}`)).want(400)
	})
}

// A form that cannot be read is refused, and not taken for one that says nothing.
func TestForms_Cut(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		path := fmt.Sprintf("update-ridepost/%.0f", ana.post("add-carpost", car(nil)).want(200).at("id"))
		const kind, field = "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"color\"\r\n\r\nverde\r\n"
		for name, body := range map[string]string{
			"another boundary": "--c" + field[3:] + "--c--\r\n", "no form": "x", "a break": "\r\n", "cut at a boundary": field + "--b\r\n", "cut at the first boundary": "--b\r\n",
			"cut within a boundary": field + "--b", "cut in a head": field + "--b\r\nContent-", "cut in a field": field[:len(field)-4], "cut after a field": field,
		} {
			r := ana.raw("PUT", path, kind, []byte(body))
			if r.status != 400 || r.at("Message") != "Multipart form parse error." {
				t.Errorf("%s: PUT = %d %s, want 400", name, r.status, r.text)
			}
			if r := ana.raw("POST", "add-calculator-entry", kind, []byte(body)); r.status != 400 || r.at("detail") != "Multipart form parse error." {
				t.Errorf("%s: POST = %d %s, want 400", name, r.status, r.text)
			}
		}
		read := strings.Replace(path, "update-ridepost", "get-carpost", 1)
		if got := ana.get(read).want(200).at("color"); got != "alb" {
			t.Errorf("the colour is %v: something was stored", got)
		}
		for body, color := range map[string]string{"": "alb", "--b--": "alb", field + "--b--": "verde"} {
			if got := ana.raw("PUT", path, kind, []byte(body)).want(200).at("color"); got != color {
				t.Errorf("after %q the colour is %v, want %s", body, got, color)
			}
			ana.form(path, obj{"color": "alb"}, nil).want(200)
		}
	})
}

// A body that is announced to be too large is refused before it is asked for.
func TestBodies_Announced(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		form := fmt.Sprintf("update-ridepost/%.0f", ana.post("add-carpost", car(nil)).want(200).at("id"))
		body := bytes.Repeat([]byte(" "), 11<<20)
		for _, tt := range []struct {
			method, path, kind string
			size, status       int
		}{
			{"POST", "register", "application/json", 256<<10 + 1, 413},
			{"POST", "login", "application/json", 11 << 20, 413},
			{"POST", "add-carpost", "application/json", 300 << 10, 413},
			{"POST", "add-calculator-entry", formType, 300 << 10, 413},
			{"DELETE", "delete-ridepost", "multipart/form-data; boundary=b", 300 << 10, 413},
			{"PUT", form, "application/json", 300 << 10, 413},
			{"PUT", form, "multipart/form-data; boundary=b", 11 << 20, 400},
		} {
			asked := false
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { asked = true }})
			req, err := http.NewRequestWithContext(ctx, tt.method, w.url+"/api/"+tt.path, bytes.NewReader(body[:tt.size]))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range map[string]string{"Content-Type": tt.kind, "Origin": ana.origin, "X-Test-Source": ana.source, "Expect": "100-continue"} {
				req.Header.Set(name, value)
			}
			client := http.Client{Jar: ana.client.Jar, Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close() // the status is all
			if res.StatusCode != tt.status || asked {
				t.Errorf("%s %s of %d bytes = %d, asked for the body: %t; want %d at once", tt.method, tt.path, tt.size, res.StatusCode, asked, tt.status)
			}
		}
	})
}

// Text that is not UTF-8 is not guessed at.
func TestBodies_Encoding(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		path := fmt.Sprintf("update-ridepost/%.0f", ana.post("add-carpost", car(nil)).want(200).at("id"))
		wide := func(order binary.AppendByteOrder, mark bool) (b []byte) {
			text := `{"app_income":"1"}`
			if mark {
				text = "\ufeff" + text
			}
			for _, u := range utf16.Encode([]rune(text)) {
				b = order.AppendUint16(b, u)
			}
			return b
		}
		var part bytes.Buffer
		m := multipart.NewWriter(&part)
		_ = m.WriteField("color", "ro\u0219u\xba") // a buffer
		_ = m.Close()                              // a buffer
		for name, tt := range map[string]struct {
			method, path, kind string
			body               []byte
		}{
			"UTF-16LE with a mark":  {"POST", "add-calculator-entry", "application/json", wide(binary.LittleEndian, true)},
			"UTF-16BE with a mark":  {"POST", "add-calculator-entry", "application/json", wide(binary.BigEndian, true)},
			"UTF-16LE":              {"POST", "add-calculator-entry", "application/json", wide(binary.LittleEndian, false)},
			"UTF-16BE":              {"POST", "add-calculator-entry", "application/json", wide(binary.BigEndian, false)},
			"UTF-16 that is named":  {"POST", "add-calculator-entry", "application/json; charset=utf-16", wide(binary.LittleEndian, true)},
			"Latin-1":               {"POST", "register", "application/json", []byte("{\"name\":\"Ren\xe9\"}")},
			"Latin-1 that is named": {"POST", "register", "application/json; charset=ISO-8859-1", []byte(`{"name":"Ana"}`)},
			"a form in Latin-1":     {"POST", "register", formType, []byte("name=Ren%E9")},
			"parts in Latin-1":      {"PUT", path, m.FormDataContentType(), part.Bytes()},
			"a part that names it":  {"PUT", path, "multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=\"color\"\r\nContent-Type: text/plain; charset=latin1\r\n\r\nrosu\r\n--x--\r\n")},
			"parts that name it":    {"PUT", path, "multipart/form-data; boundary=x; charset=latin1", []byte("--x--\r\n")},
		} {
			if r := ana.raw(tt.method, tt.path, tt.kind, tt.body); r.status != 415 || r.at("detail") != "Send the body in UTF-8." {
				t.Errorf("%s = %d %s, want 415", name, r.status, r.text)
			}
		}
		ana.raw("POST", "add-calculator-entry", "application/json; charset=UTF-8", []byte(`{"app_income":"1"}`)).want(200)
	})
}

// The last 7 days are 7 times 24 hours back from now.
func TestRecentEntries_Hours(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		now := time.Now().UTC()
		var want []any
		for _, back := range []time.Duration{7*24*time.Hour + time.Minute, 7*24*time.Hour - time.Minute, 6 * 24 * time.Hour, time.Minute} {
			id := ana.post("add-calculator-entry", obj{"app_income": "1"}).want(200).at("id")
			at := now.Add(-back)
			_, set, err := w.earnings.Today(t.Context(), account.Actor{ID: int64(ana.id)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.store.Writer().ExecContext(t.Context(), `UPDATE entry SET created_at = $2, date = $3 WHERE id = $1`,
				int64(id.(float64)), at, calendar.On(at.In(set.Location()))); err != nil {
				t.Fatal(err)
			}
			if back < 7*24*time.Hour {
				want = append(want, id)
			}
		}
		var got []any
		for _, e := range ana.get("get-recent-calculator-entries?days=7").want(200).json.([]any) {
			got = append(got, e.(obj)["id"])
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the entries %v, want %v", got, want)
		}
	})
}

// formOf is the form that a start of an upload was answered with.
func formOf(r *response) bucket.Form {
	form := bucket.Form{URL: r.at("url").(string), Fields: map[string]string{}}
	for name, value := range r.at("fields").(obj) {
		form.Fields[name] = value.(string)
	}
	return form
}

// startPhoto begins the upload of a photo of a post.
func startPhoto(b *browser, post any) bucket.Form {
	b.Helper()
	return formOf(b.post("upload/direct/start", obj{"file_name": "a.jpg", "file_type": "image/jpeg", "car_post_id": post}).want(200))
}

// A photo of a kind that is not taken is named in words, and the next try finds
// the post that was made before it.
func TestPhotoRefused(t *testing.T) {
	each(t, func(w *world) {
		ana, dan := w.person(), w.person()
		count := func() float64 { return ana.get("get-user-carposts/1").want(200).at("count").(float64) }
		body := car(obj{"milleage": "84k", "gear_number": "CVT", "price": "280.50"})
		for n, file := range []obj{
			{"file_name": "a.gif", "file_type": "image/gif"},
			{"file_name": "IMG_1.HEIC", "file_type": "image/heic"},
			{"file_name": "IMG_1.heic", "file_type": ""},
			{"file_name": "a.pdf", "file_type": "application/pdf"},
		} {
			first := ana.post("add-carpost", body).want(200)
			file["car_post_id"] = first.at("id")
			dan.post("upload/direct/start", file).want(404)
			r := ana.post("upload/direct/start", file).want(400)
			words := r.at("file_type", 0).(string)
			if n < 3 && (!strings.Contains(words, "JPEG") || !strings.HasPrefix(words, map[bool]string{true: "GIF", false: "HEIC"}[n == 0]+" pictures")) {
				t.Errorf("%v: %s", file, r.text)
			}
			if said, _ := r.at("detail").(string); !strings.HasSuffix(said, words) || r.at("Message") != said {
				t.Errorf("%v: %s", file, r.text)
			}
			dan.post("add-carpost", body).want(200) // another person's is another post
			before := count()
			again := ana.post("add-carpost", body).want(200)
			if again.text != first.text || count() != before {
				t.Errorf("%v: the post was made twice: %s and %s", file, first.text, again.text)
			}
			// Once it was found, the same is another car.
			if third := ana.post("add-carpost", body).want(200); third.at("id") == first.at("id") {
				t.Errorf("%v: a third post was not made", file)
			}
			ana.send("DELETE", "delete-ridepost", obj{"car_post_id": first.at("id")}).want(200)
		}
		// A post that was changed meanwhile, or is gone, is not the same.
		gif := func(id any) {
			ana.post("upload/direct/start", obj{"file_name": "a.gif", "file_type": "image/gif", "car_post_id": id}).want(400)
		}
		changed := ana.post("add-carpost", body).want(200).at("id")
		gif(changed)
		ana.form(fmt.Sprintf("update-ridepost/%.0f", changed), obj{"color": "verde"}, nil).want(200)
		if id := ana.post("add-carpost", body).want(200).at("id"); id == changed {
			t.Error("a changed post was taken for the same")
		}
		gone := ana.post("add-carpost", body).want(200).at("id")
		gif(gone)
		ana.send("DELETE", "delete-ridepost", obj{"car_post_id": gone}).want(200)
		if id := ana.post("add-carpost", body).want(200).at("id"); id == gone {
			t.Error("a deleted post came back")
		}
		// A file that turns out to be no picture, likewise.
		first := ana.post("add-carpost", body).want(200).at("id")
		r := ana.post("upload/direct/start", obj{"file_name": "a.jpg", "file_type": "image/jpeg", "car_post_id": first}).want(200)
		buckettest.Post(t, formOf(r), []byte("not a picture"), nil)
		if got := ana.post("upload/direct/finish", obj{"file_id": r.at("id")}).want(400); got.at("detail") == nil {
			t.Errorf("%s", got.text)
		}
		if id := ana.post("add-carpost", body).want(200).at("id"); id != first {
			t.Error("the post was made twice")
		}
		// Nor is it when the storage refuses the file, or the driver gives up on it.
		body["model"] = "Duster"
		first = ana.post("add-carpost", body).want(200).at("id")
		for name, file := range map[string][]byte{"empty": {}, "too large": append(mediatest.JPEG(30, 20), make([]byte, 10<<20)...), "not sent": nil} {
			form := startPhoto(ana, first)
			if file != nil {
				if res := buckettest.Post(t, form, file, nil); res.StatusCode != 400 {
					t.Errorf("%s: the storage says %d", name, res.StatusCode)
				}
			}
			if id := ana.post("add-carpost", body).want(200).at("id"); id != first {
				t.Errorf("%s: the post was made twice", name)
			}
		}
		r = ana.post("upload/direct/start", obj{"file_name": "a.jpg", "file_type": "image/jpeg", "car_post_id": first}).want(200)
		buckettest.Post(t, formOf(r), mediatest.JPEG(30, 20), nil)
		ana.post("upload/direct/finish", obj{"file_id": r.at("id")}).want(200)
		if id := ana.post("add-carpost", body).want(200).at("id"); id == first {
			t.Error("the same car with a photo was not posted again")
		}
		// In an edit the dialog says it.
		path := fmt.Sprintf("update-ridepost/%.0f", first)
		if m := ana.form(path, nil, []byte("GIF89a...")).want(400).at("Message").(string); !strings.HasPrefix(m, "image: GIF pictures") {
			t.Errorf("Message = %s", m)
		}
		if m := ana.form(path, nil, []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic")).want(400).at("Message").(string); !strings.HasPrefix(m, "image: HEIC pictures") {
			t.Errorf("Message = %s", m)
		}
		ana.form(path, nil, mediatest.JPEG(30, 20)).want(200)
	})
}
