package mail

import gomail "github.com/wneessen/go-mail"

// AsRemote makes s treat its server on loopback like one across a network.
func (s *SMTP) AsRemote() {
	s.policy = gomail.TLSOpportunistic
	if s.user != "" {
		s.policy = gomail.TLSMandatory
	}
}
