package server

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// refuseNew makes a listener deaf to new connections while it still completes and
// gives out those that have begun, and tells whether it could. Closing it would
// reset the connections in its queue, with requests that clients have sent already. A filter
// drops the packets that begin a connection; their clients send them again a second
// later, to a closed port. Where the kernel has no filters, the queue is made as
// short as it can be.
func refuseNew(l net.Listener) bool {
	t, ok := l.(*net.TCPListener)
	if !ok {
		return true // it has no queue that we know of
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return true // it is closed
	}
	// The filter sees a segment from its TCP header on: byte 13 holds the flags.
	const syn, ack = 0x02, 0x10
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 13},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: syn | ack},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: syn, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 1<<32 - 1},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	deaf := false
	_ = raw.Control(func(fd uintptr) { // fails for a closed listener alone
		deaf = unix.SetsockoptSockFprog(int(fd), syscall.SOL_SOCKET, unix.SO_ATTACH_FILTER, &filter) == nil
		if !deaf {
			_ = unix.Listen(int(fd), 0) // only connections of the last microseconds are reset
		}
	})
	return deaf
}

// waiting tells whether connections wait to be accepted.
func waiting(l net.Listener) bool {
	t, ok := l.(*net.TCPListener)
	if !ok {
		return false
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return false
	}
	pending := false
	_ = raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		pending = err == nil && n > 0
	})
	return pending
}
