package legacyapi

import "net/http"

var PythonInt = pythonInt

// ReadBody is the texts of a body.
func ReadBody(r *http.Request) (texts map[string]string, err error) {
	in, err := readBody(r)
	texts = map[string]string{}
	for name, v := range in {
		texts[name] = v.text
	}
	return texts, err
}
