package sqlitestore

import (
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

// networkKind returns the kind of network file system that path is on, "" for a local one.
func networkKind(path string) (string, error) {
	volume := filepath.VolumeName(path)
	if isShare(volume) {
		return "a Windows share", nil
	}
	root, err := windows.UTF16PtrFromString(volume + `\`)
	if err != nil {
		return "", err
	}
	if windows.GetDriveType(root) == windows.DRIVE_REMOTE {
		return "a network drive", nil
	}
	return "", nil
}

// isShare reports whether a volume is \\server\share, also in its long form \\?\UNC\server\share.
func isShare(volume string) bool {
	if rest, long := strings.CutPrefix(volume, `\\?\`); long {
		return strings.HasPrefix(strings.ToUpper(rest), `UNC\`)
	}
	return strings.HasPrefix(volume, `\\`)
}
