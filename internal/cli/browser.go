package cli

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"runtime"
	"strings"

	"github.com/pkg/browser"
)

func init() {
	// What a browser writes is neither our data nor our errors.
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
}

// browserOf returns what opens an address in the operator's browser: the command that UCF_BROWSER or BROWSER names,
// with the address in the place of %s or at the end, else the system's own choice. It returns when the browser does,
// which may be when its window is closed.
func browserOf(s IO) func(ctx context.Context, address string) error {
	return func(ctx context.Context, address string) error {
		command := s.environ("UCF_BROWSER")
		if command == "" {
			command = s.environ("BROWSER")
		}
		switch {
		case command != "":
			return runBrowser(ctx, command, address)
		case runtime.GOOS == "linux" && s.environ("DISPLAY") == "" && s.environ("WAYLAND_DISPLAY") == "":
			return errors.New("there is no display here")
		}
		return browser.OpenURL(address)
	}
}

// runBrowser runs a command that opens an address.
func runBrowser(ctx context.Context, command, address string) error {
	words := strings.Fields(command)
	if len(words) == 0 {
		return errors.New("UCF_BROWSER names no command")
	}
	if !strings.Contains(command, "%s") {
		words = append(words, "%s")
	}
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], "%s", address)
	}
	return exec.CommandContext(ctx, words[0], words[1:]...).Run()
}
