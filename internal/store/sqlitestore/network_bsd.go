//go:build darwin || freebsd

package sqlitestore

import "golang.org/x/sys/unix"

// networkKind returns the kind of network file system that path is on, "" for a local one.
func networkKind(path string) (string, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return "", err
	}
	if st.Flags&unix.MNT_LOCAL != 0 {
		return "", nil
	}
	return unix.ByteSliceToString(st.Fstypename[:]), nil
}
