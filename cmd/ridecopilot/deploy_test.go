package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The files that run the product elsewhere name settings that there are: a name
// that is misspelt there would silently be a default.
func TestDeployFiles_Settings(t *testing.T) {
	others := regexp.MustCompile(`^(AWS_|POSTGRES_|ROOT_|GO)`)
	for file, expression := range map[string]string{
		"Dockerfile":                         `(?:ENV |[a-z/0:.]+ )([A-Z0-9_]+)=`,
		"compose.yaml":                       `(?m)^ +([A-Z][A-Z0-9_]+): `,
		"deploy/systemd/ridecopilot.service": `(?m)^Environment=([A-Z0-9_]+)=`,
		"deploy/compose-env":                 `(?m)^([A-Z0-9_]+)=\$`,
		"scripts/check-container":            `[ ]([A-Z0-9_]+)="?[a-z/h]`,
	} {
		text, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(expression).FindAllStringSubmatch(string(text), -1)
		if len(found) == 0 {
			t.Errorf("%s names no settings: the test looks for them in the wrong way", file)
		}
		for _, m := range found {
			known := slices.ContainsFunc(settings, func(s setting) bool { return s.name == m[1] })
			if !known && !others.MatchString(m[1]) && !strings.HasPrefix(m[1], "S3_ACCESS") && m[1] != "S3_SECRET_KEY" {
				t.Errorf("%s sets %s, which is no setting", file, m[1])
			}
		}
	}
}

// The image has nothing in it but the binary, and gives it no rights (promise P7).
func TestDockerfile_P7(t *testing.T) {
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, ok := strings.Cut(string(text), "\nFROM scratch\n")
	if !ok {
		t.Fatal("the last stage is not from scratch")
	}
	for _, line := range []string{"USER 65532:65532", `ENTRYPOINT ["/ridecopilot"]`, `CMD ["serve"]`, `CMD ["/ridecopilot", "healthcheck"]`, "VOLUME /data"} {
		if !strings.Contains(last, line) {
			t.Errorf("no %s", line)
		}
	}
	if strings.Contains(last, "RUN ") || strings.Contains(last, "SECRET") {
		t.Error("the last stage runs something, or holds a secret")
	}
	// What git knows must reach the build, or the commit it notes is a changed one.
	ignored, err := os.ReadFile("../../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(ignored), ".git") {
		t.Error("the build cannot note its commit without .git")
	}
}
