package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ld-mcp/ld-mcp/internal/typo"
)

// line is a command line, taken apart.
type line struct {
	kind    commandKind
	named   bool // whether the line names its command
	command runner
	options []parameter // of every command
	own     []parameter // of this one
	help    parameter   // given when it is asked for
	flags   *pflag.FlagSet
}

func newLine(o *options) *line {
	l := &line{options: parameters(o), flags: pflag.NewFlagSet("ld-mcp", pflag.ContinueOnError)}
	l.flags.SortFlags = false
	l.flags.AddFlag(&pflag.Flag{Name: "help", Shorthand: "h", NoOptDefVal: "true", Value: &l.help})
	for i := range l.options {
		l.declare(&l.options[i])
	}
	return l
}

// read finds the command, which is the first word that is no option, and all that is given to it.
func (l *line) read(args []string) error {
	l.flags.SetInterspersed(false)
	if err := l.readOptions(args); err != nil {
		return err
	}
	rest := l.flags.Args()
	l.kind = commands[0]
	if l.named = len(rest) > 0; l.named {
		i := slices.IndexFunc(commands, func(c commandKind) bool { return c.name == rest[0] })
		if i < 0 {
			return noCommand(rest[0])
		}
		l.kind, rest = commands[i], rest[1:]
		if l.flags.ArgsLenAtDash() == 0 {
			rest = slices.Concat([]string{"--"}, rest)
		}
	}
	l.command = l.kind.make()
	l.own = parameters(l.command)
	for i := range l.own {
		if !l.own[i].argument {
			l.declare(&l.own[i])
		}
	}
	l.flags.SetInterspersed(true)
	if err := l.readOptions(rest); err != nil || l.help.given != nil {
		return err
	}
	return l.readWords()
}

func (l *line) declare(p *parameter) {
	f := &pflag.Flag{Name: p.name, Value: p}
	if p.isSwitch() {
		f.NoOptDefVal = "true"
	}
	l.flags.AddFlag(f)
}

// readOptions takes the options out of args. The words between them stay in the flag set.
func (l *line) readOptions(args []string) error {
	err := l.flags.ParseAll(args, func(f *pflag.Flag, text string) error {
		// An option in the place of a value is one whose value was forgotten, and must not be lost.
		if len(text) > 1 && text[0] == '-' && !slices.Contains(args, "--"+f.Name+"="+text) {
			return fmt.Errorf("--%[1]s wants a value, and %[2]s looks like an option; if it is the value, write --%[1]s=%[2]s", f.Name, text)
		}
		return f.Value.Set(text)
	})
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		given := "--" + unknown.GetSpecifiedName()
		if letters := unknown.GetSpecifiedShortnames(); letters != "" {
			given = "-" + letters
		}
		return fmt.Errorf("unknown flag %s%s", given, l.suggest(given))
	}
	if lacking, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return fmt.Errorf("--%s wants a value", lacking.GetFlag().Name)
	}
	return err
}

// readWords gives the words that are left to the arguments.
func (l *line) readWords() error {
	words := l.flags.Args()
	for i := range l.own {
		p := &l.own[i]
		switch {
		case !p.argument:
		case p.isList():
			p.given, words = words, nil
		case len(words) > 0:
			p.given, words = words[:1], words[1:]
		case !p.optional:
			return fmt.Errorf("expected %s, as in: %s", p.summary(), l.usage())
		}
	}
	switch {
	case len(words) == 0:
		return nil
	case l.kind.name == commands[0].name:
		return noCommand(words[0])
	}
	return fmt.Errorf("unexpected argument %s", words[0])
}

func noCommand(word string) error {
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = c.name
	}
	return fmt.Errorf("there is no command %s; there are %s", word, strings.Join(names, ", "))
}

// suggest asks whether an option was meant that is spelt nearly like this.
func (l *line) suggest(given string) string {
	var near []string
	l.flags.VisitAll(func(f *pflag.Flag) {
		if name := "--" + f.Name; strings.HasPrefix(name, given) || typo.Distance(name, given) <= 2 {
			near = append(near, fmt.Sprintf("%q", name))
		}
	})
	switch len(near) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(", did you mean %s?", near[0])
	}
	return fmt.Sprintf(", did you mean one of %s?", strings.Join(near, ", "))
}
