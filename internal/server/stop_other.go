//go:build !linux

package server

import "net"

// refuseNew does nothing here: what waits in the listener's queue when it is closed
// is reset by the system.
func refuseNew(net.Listener) bool { return false }

// waiting tells whether connections wait to be accepted, as far as it is known.
func waiting(net.Listener) bool { return false }
