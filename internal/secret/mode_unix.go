//go:build !windows

package secret

// unixModes says that file modes tell who may read a file.
const unixModes = true
