//go:build linux || darwin || freebsd

package cli

import "golang.org/x/sys/unix"

// hideTyping makes a terminal stop to show what is typed. What is no terminal is left alone.
func hideTyping(fd int) {
	state, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return
	}
	state.Lflag &^= unix.ECHO
	_ = unix.IoctlSetTermios(fd, setTermios, state)
}
