package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/tools"
)

type callCmd struct {
	Tool      string   `arg:"" help:"Name of the tool; the tools command lists them."`
	Arguments []string `arg:"" optional:"" name:"key=value" help:"Arguments, or one JSON object that holds them all. A value that is JSON is passed as such, so that on=true is a boolean; anything else is a string, and so is a value in JSON's own quotes."`
}

func (cmd callCmd) Run(ctx context.Context, a *app) error {
	arguments, err := parseArguments(cmd.Arguments)
	if err != nil {
		return err
	}
	ld, err := a.newClient()
	if err != nil {
		return err
	}
	s, err := a.newServer(ld)
	if err != nil {
		return err
	}
	there := func(t tools.Info) bool { return t.Name == cmd.Tool || slices.Contains(t.Aliases, cmd.Tool) }
	if !slices.ContainsFunc(s.Tools(), there) {
		if _, err := s.ReadHosted(ctx); err != nil {
			a.log.Warn("hosted tools are not known", "error", err)
		}
	}
	if !slices.ContainsFunc(s.Tools(), there) {
		text := fmt.Sprintf("there is no tool %q", cmd.Tool)
		if near := s.Suggest(cmd.Tool); near != "" {
			text += "; " + near
		}
		return errors.New(text + " (ld-mcp tools --all lists them)")
	}
	var opts []client.ClientOption
	if a.isTerminal(a.stdin) && a.isTerminal(a.stderr) {
		opts = append(opts, client.WithElicitationHandler(prompt{a.stdin, a.stderr}))
	}
	c, err := connect(ctx, s, "ld-mcp call", opts...)
	if err != nil {
		return err
	}
	defer c.Close()
	text, failed, err := callTool(ctx, c, cmd.Tool, arguments)
	if err != nil {
		return err
	}
	if failed {
		return errors.New(text)
	}
	if a.isTerminal(a.stdout) {
		text = indent(text)
	}
	_, err = fmt.Fprintln(a.stdout, text)
	return err
}

// parseArguments reads key=value pairs or one JSON object.
func parseArguments(list []string) (map[string]any, error) {
	out := map[string]any{}
	if len(list) == 1 && strings.HasPrefix(strings.TrimSpace(list[0]), "{") {
		v, err := decode(list[0])
		if err != nil {
			return nil, usagef("the arguments are not valid JSON: %w", err)
		}
		return v.(map[string]any), nil
	}
	for _, pair := range list {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usagef("an argument is written key=value, got %q; or give one JSON object", pair)
		}
		if _, twice := out[key]; twice {
			return nil, usagef("the argument %s is given twice; write several values as key='[\"a\",\"b\"]'", key)
		}
		out[key] = value
		if v, err := decode(value); err == nil && v != nil {
			out[key] = v
		}
	}
	return out, nil
}

// decode reads one JSON value and keeps numbers as they are written.
func decode(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("there is more after its end")
	}
	return v, nil
}

// indent makes JSON readable for people; other text is left as it is.
func indent(text string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") != nil {
		return text
	}
	return b.String()
}

// prompt puts the server's questions to the person at the terminal.
type prompt struct {
	in  io.Reader
	out io.Writer
}

func (p prompt) Elicit(ctx context.Context, q mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	fmt.Fprintf(p.out, "%s [y/N] ", q.Params.Message)
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(p.in).ReadString('\n')
		line <- text
	}()
	answer := &mcp.ElicitationResult{}
	answer.Action = mcp.ElicitationResponseActionDecline
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case text := <-line:
		if yes := strings.ToLower(strings.TrimSpace(text)); yes == "y" || yes == "yes" {
			answer.Action = mcp.ElicitationResponseActionAccept
			answer.Content = map[string]any{}
		}
	}
	return answer, nil
}
