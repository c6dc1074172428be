package main

import (
	"context"
	"fmt"

	"github.com/ld-mcp/ld-mcp/cmd/ld-mcp/gateway"
	"github.com/ld-mcp/ld-mcp/internal/pattern"
)

type keyCmd struct {
	Name string `arg:"" help:"Who gets the key; it stands in the log and the audit file."`
}

var keyName = pattern.Of(`^[\w.@-]{1,64}$`)

func (cmd keyCmd) Run(_ context.Context, a *app) error {
	if !keyName().MatchString(cmd.Name) {
		return usagef("a key's name holds letters, digits, dots, hyphens, underscores and @ alone, at most 64")
	}
	key, line := gateway.NewKey(cmd.Name)
	if a.isTerminal(a.stdout) {
		_, err := fmt.Fprintf(a.stdout, "Give this key to %s; it is not kept anywhere:\n\n    %s\n\nAdd this line to the file that --auth-keys-file names:\n\n    %s\n", cmd.Name, key, line)
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "%s\n%s\n", key, line)
	return err
}
