package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/tailscale/hujson"
)

func claudeCommand(words ...string) []string {
	out := []string{"claude", "mcp", words[0], "-s", "user"}
	return append(out, words[1:]...)
}

// claude is the command that makes an entry of Claude Code's user, "" for any other entry.
func (c *knownClient) claude(cmd installCmd, e edit) string {
	if c.name != "claude-code" || cmd.Scope != "user" {
		return ""
	}
	return shell(claudeCommand("add-json", cmd.Name, style{}.render(e.entry, "")))
}

// runClaude has Claude Code itself change the user's servers, since its sessions rewrite their file all the time.
func (cmd installCmd) runClaude(ctx context.Context, a *app, e edit, done *installed) error {
	_, out, err := cmd.prepare(a, e, done)
	if err != nil || done.Action == unchanged || done.Action == absent {
		return err
	}
	var steps [][]string
	if out.was != nil {
		steps = append(steps, claudeCommand("remove", e.name))
	}
	if e.entry != nil {
		entry, err := hujson.Minimize(out.is)
		if err != nil {
			return err
		}
		if hide(a, "json", entry) != string(entry) {
			return fmt.Errorf("%s was left alone, because its %s holds a secret that would be seen on a command line. Remove it with claude mcp remove -s user %s, and run this again", done.File, e.name, e.name)
		}
		steps = append(steps, claudeCommand("add-json", e.name, string(entry)))
	}
	program := findProgram("claude", a.getenv)
	if program == "" {
		done.Action, done.Run = toRun, shell(steps...)
		return nil
	}
	for i, words := range steps {
		if text, err := exec.CommandContext(ctx, program, words[1:]...).CombinedOutput(); err != nil {
			err = fmt.Errorf("claude refused (%w): %s. The command was: %s", err, strings.TrimSpace(string(text)), shell(words))
			if i > 0 {
				err = fmt.Errorf("%w. %s", err, restore(ctx, a, program, e.name, out.was))
			}
			return err
		}
	}
	return nil
}

// restore puts an entry back that was removed for one that did not come to be, and says whether it is there again.
func restore(ctx context.Context, a *app, program, name string, was []byte) string {
	entry, err := hujson.Minimize(was)
	shown := hide(a, "json", entry)
	back := claudeCommand("add-json", name, shown)
	switch {
	case err == nil && shown != string(entry):
		return fmt.Sprintf("The %s that was there is removed, and was not put back, because its secret would be seen on a command line. This brings it back, with the secret in the place of %s: %s", name, hidden, shell(back))
	case err == nil:
		// An interrupt that ended the command before must not end this one.
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer stop()
		if err = exec.CommandContext(ctx, program, back[1:]...).Run(); err == nil {
			return fmt.Sprintf("The %s that was there is back as it was", name)
		}
	}
	return fmt.Sprintf("The %s that was there is removed, and could not be put back (%v). This brings it back: %s", name, err, shell(back))
}

// shell writes commands as they are typed.
func shell(commands ...[]string) string {
	var out []string
	for _, words := range commands {
		quoted := make([]string, len(words))
		for i, w := range words {
			if quoted[i] = w; strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") != "" {
				quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
			}
		}
		out = append(out, strings.Join(quoted, " "))
	}
	return strings.Join(out, " && ")
}
