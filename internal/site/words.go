package site

import "github.com/ridecopilot/ridecopilot/internal/fault"

// message is a page that only says something.
type message struct {
	Title string
	Text  []string
}

// words are all that the pages say in one language.
type words struct {
	Lang, Name           string
	OtherLang, OtherName string // the other language, and what it calls itself

	Intro                    string
	Docs, DocsText           string
	OpenAPI, OpenAPIText     string
	Health, HealthText       string
	Admin, AdminText         string
	ToStart                  string
	VerifyTitle, VerifyText  string
	VerifyButton             string
	ResetTitle, ResetText    string
	New, Again, ResetButton  string
	RulesTitle, ErrorSummary string
	RuleList                 []string
	ErrorPrefix              string            // of the title of a page whose form was refused
	Rules                    map[string]string // the rules of passwords by the code of their fault

	Verified, VerifyFailed, Taken message
	ResetDone, ResetFailed        message
	NoToken, BadForm, Foreign     message
	TooLarge, TooMany, Busy       message
	Broken, NotFound, WrongMethod message
}

// rule says what is wrong with a field: in our own words where we have some,
// else in those of the fault.
func (l *words) rule(f fault.Field) string {
	if l != english {
		if s, ok := l.Rules[f.Code]; ok {
			return s
		}
	}
	return f.Message
}

var languages = map[string]*words{"en": english, "ro": romanian}

var english = &words{
	Lang: "en", Name: "Rideshare Copilot", OtherLang: "ro", OtherName: "Română",

	Intro:   "Rideshare Copilot helps rideshare and taxi drivers find a car, keep track of what they earn, and keep their documents valid. This is the server that the app talks to.",
	Docs:    "API documentation",
	OpenAPI: "OpenAPI description", Health: "Health", Admin: "Administration",
	DocsText:    "Every operation, to read and to try out",
	OpenAPIText: "The same for programs, as JSON",
	HealthText:  "Whether everything works at the moment",
	AdminText:   "For operators",
	ToStart:     "Start page",

	VerifyTitle:  "Confirm your address",
	VerifyText:   "One more step: press the button to confirm that this email address is yours.",
	VerifyButton: "Confirm address",

	ResetTitle:   "Choose a new password",
	ResetText:    "Afterwards you sign in again on all your devices.",
	New:          "New password",
	Again:        "New password again",
	ResetButton:  "Set new password",
	RulesTitle:   "Your password:",
	RuleList:     []string{"has at least 8 characters", "is not like your name or email address", "is not a common password", "is more than just digits"},
	ErrorSummary: "The password was not changed yet. Please correct what is marked below and enter it twice.",
	ErrorPrefix:  "Error: ",
	Rules:        map[string]string{"mismatch": "The two passwords are not the same."},

	Verified: message{"Your address is confirmed", []string{"Thank you. You can close this page and go back to the app."}},
	VerifyFailed: message{"This link does not work", []string{
		"It is wrong, was used already, or is older than 48 hours. If you have confirmed your address before, there is nothing left to do.",
		"Otherwise open the app and ask for a new link.",
	}},
	Taken: message{"This address is in use", []string{
		"Another account has this email address by now, so yours keeps the one it has.",
		"Sign in to the app and choose another address.",
	}},
	ResetDone: message{"Your password is changed", []string{"You can close this page and sign in to the app with the new password. All your devices have been signed out."}},
	ResetFailed: message{"This link does not work", []string{
		"It is wrong, was used already, or is older than 30 minutes. Your password has not been changed.",
		"Open the app and ask for a new link.",
	}},
	NoToken: message{"This link is not complete", []string{
		"A part of it is missing, which happens when a mail program breaks a long line.",
		"Open the link in the mail again, or copy all of it into the address bar.",
	}},
	BadForm:     message{"The form could not be read", []string{"Open the link in the mail again and repeat it."}},
	Foreign:     message{"This form came from another site", []string{"For your safety it was not accepted. Open the link in the mail again."}},
	TooLarge:    message{"The form is too large", []string{"Open the link in the mail again and enter less."}},
	TooMany:     message{"Too many attempts", []string{"There were too many attempts from your connection. Wait a quarter of an hour, then open the link in the mail again: it has not been used up."}},
	Busy:        message{"We are busy at the moment", []string{"Nothing has been changed. Wait a moment, then open the link in the mail again: it has not been used up."}},
	Broken:      message{"Something went wrong on our side", []string{"We have made a note of it. Please try again later."}},
	NotFound:    message{"There is nothing here", []string{"The address is wrong, or the page has moved."}},
	WrongMethod: message{"This request is not accepted here", []string{"The page can be read, but not changed in this way."}},
}

//nolint:misspell,gosec // it is Romanian, not English; G101: texts about passwords are no passwords
var romanian = &words{
	Lang: "ro", Name: "Rideshare Copilot", OtherLang: "en", OtherName: "English",

	Intro:   "Rideshare Copilot îi ajută pe șoferii de ridesharing și de taxi să găsească o mașină, să țină evidența câștigurilor și să aibă mereu documentele valabile. Acesta este serverul cu care comunică aplicația.",
	Docs:    "Documentația API",
	OpenAPI: "Descrierea OpenAPI", Health: "Starea serviciului", Admin: "Administrare",
	DocsText:    "Toate operațiile, de citit și de încercat (în engleză)",
	OpenAPIText: "Aceleași informații pentru programe, în format JSON",
	HealthText:  "Dacă totul funcționează în acest moment",
	AdminText:   "Pentru operatori",
	ToStart:     "Pagina principală",

	VerifyTitle:  "Confirmă-ți adresa",
	VerifyText:   "Încă un pas: apasă butonul pentru a confirma că această adresă de e‑mail este a ta.",
	VerifyButton: "Confirmă adresa",

	ResetTitle:   "Alege o parolă nouă",
	ResetText:    "După aceea te conectezi din nou pe toate dispozitivele tale.",
	New:          "Parola nouă",
	Again:        "Parola nouă, încă o dată",
	ResetButton:  "Schimbă parola",
	RulesTitle:   "Parola ta:",
	RuleList:     []string{"are cel puțin 8 caractere", "nu seamănă cu numele sau cu adresa ta de e‑mail", "nu este o parolă des folosită", "nu este formată doar din cifre"},
	ErrorSummary: "Parola nu a fost schimbată încă. Corectează ce este marcat mai jos și introdu parola de două ori.",
	ErrorPrefix:  "Eroare: ",
	Rules: map[string]string{
		"mismatch":                  "Cele două parole nu sunt identice.",
		"max_length":                "Parola este prea lungă. Poate avea cel mult 1024 de caractere.",
		"password_too_similar":      "Parola seamănă prea mult cu numele sau cu adresa ta de e‑mail.",
		"password_too_short":        "Parola este prea scurtă. Trebuie să aibă cel puțin 8 caractere.",
		"password_too_common":       "Parola este prea des folosită.",
		"password_entirely_numeric": "Parola este formată doar din cifre.",
	},

	Verified: message{"Adresa ta este confirmată", []string{"Îți mulțumim. Poți închide această pagină și te poți întoarce în aplicație."}},
	VerifyFailed: message{"Linkul nu funcționează", []string{
		"Este greșit, a fost deja folosit sau este mai vechi de 48 de ore. Dacă ți-ai confirmat deja adresa, nu mai ai nimic de făcut.",
		"Altfel, deschide aplicația și cere un link nou.",
	}},
	Taken: message{"Adresa este deja folosită", []string{
		"Între timp, această adresă de e‑mail a ajuns să aparțină altui cont, așa că al tău o păstrează pe cea veche.",
		"Conectează-te în aplicație și alege altă adresă.",
	}},
	ResetDone: message{"Parola a fost schimbată", []string{"Poți închide această pagină și te poți conecta în aplicație cu parola nouă. Toate dispozitivele tale au fost deconectate."}},
	ResetFailed: message{"Linkul nu funcționează", []string{
		"Este greșit, a fost deja folosit sau este mai vechi de 30 de minute. Parola ta nu a fost schimbată.",
		"Deschide aplicația și cere un link nou.",
	}},
	NoToken: message{"Linkul nu este complet", []string{
		"Lipsește o parte din el, așa cum se întâmplă când programul de e‑mail întrerupe un rând lung.",
		"Deschide din nou linkul din mesaj sau copiază-l în întregime în bara de adrese.",
	}},
	BadForm:     message{"Formularul nu a putut fi citit", []string{"Deschide din nou linkul din mesaj și reia pașii."}},
	Foreign:     message{"Formularul a venit de pe alt site", []string{"Pentru siguranța ta, nu a fost acceptat. Deschide din nou linkul din mesaj."}},
	TooLarge:    message{"Formularul este prea mare", []string{"Deschide din nou linkul din mesaj și introdu un text mai scurt."}},
	TooMany:     message{"Prea multe încercări", []string{"Au fost prea multe încercări de la conexiunea ta. Așteaptă un sfert de oră, apoi deschide din nou linkul din mesaj: încă nu a fost folosit."}},
	Busy:        message{"Suntem ocupați în acest moment", []string{"Nu s-a schimbat nimic. Așteaptă puțin, apoi deschide din nou linkul din mesaj: încă nu a fost folosit."}},
	Broken:      message{"Ceva nu a mers bine la noi", []string{"Am luat notă de problemă. Te rugăm să încerci din nou mai târziu."}},
	NotFound:    message{"Aici nu este nimic", []string{"Adresa este greșită sau pagina a fost mutată."}},
	WrongMethod: message{"Cererea nu este acceptată aici", []string{"Pagina poate fi citită, dar nu poate fi modificată în acest fel."}},
}
