package secret

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// LoadFile returns the keys in a key file, and makes the file, mode 0600 and with one new key, where there is none.
// Of several processes that make it at once one wins, and all return its key. A file that others may read is
// refused.
func LoadFile(path string) (keys connectors.Secret, made bool, err error) {
	keys, err = readFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, false, coded(path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return keys, false, coded(path, err)
	}
	made, err = makeFile(path)
	if err != nil {
		return keys, false, coded(path, err)
	}
	keys, err = readFile(path)
	return keys, made, coded(path, err)
}

// makeFile writes a new key under another name, syncs it and links it into place, so that nobody ever sees half of
// it and an existing file is never replaced.
func makeFile(path string) (bool, error) {
	key, err := Generate()
	if err != nil {
		return false, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*")
	if err != nil {
		return false, err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // a left-over temporary file harms nobody
	_, err = f.WriteString(key.Reveal() + "\n")
	if err := errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return false, err
	}
	err = os.Link(f.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

var errOpenToOthers = errors.New("open to others")

func readFile(path string) (connectors.Secret, error) {
	info, err := os.Stat(path)
	if err != nil {
		return connectors.Secret{}, err
	}
	if info.Mode().Perm()&0o077 != 0 && unixModes {
		return connectors.Secret{}, errOpenToOthers
	}
	b, err := os.ReadFile(path)
	return connectors.NewSecret(strings.TrimSpace(string(b))), err
}

func coded(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errOpenToOthers):
		return connectors.Errorf(connectors.InvalidRequest,
			"the key file %s may be read by others: run `chmod 600 %s`, and consider the key known", path, path)
	}
	var pe *fs.PathError
	reason := "input/output error"
	if errors.As(err, &pe) {
		reason = pe.Err.Error()
	}
	return connectors.Wrap(connectors.Unavailable, err,
		"the key file %s cannot be used (%s): make its folder writable, or set ENCRYPTION_KEY", path, reason)
}
