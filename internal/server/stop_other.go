//go:build !linux

package server

import "net"

// refuseNew does nothing here: the system resets the connections in the queue of a
// listener that is closed.
func refuseNew(net.Listener) bool { return false }

// waiting tells whether connections wait to be accepted, as far as it is known.
func waiting(net.Listener) bool { return false }
