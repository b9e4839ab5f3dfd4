//go:build !linux && !darwin && !freebsd

package cli

// hideTyping is left to the read of the secret.
func hideTyping(int) {}
