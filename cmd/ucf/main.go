// Command ucf connects the systems that tenants' work lives in. Everything is in internal/cli.
package main

import (
	"os"

	"github.com/unified-connector/ucf/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], cli.Stdio())) }
