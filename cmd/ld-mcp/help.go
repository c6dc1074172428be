package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

const about = "ld-mcp lets AI assistants work with LaunchDarkly feature flags through the Model Context Protocol. Try it without an account: ld-mcp demo."

const examples = `  ld-mcp demo
  ld-mcp doctor
  ld-mcp --read-only --project shop
  ld-mcp --http 127.0.0.1:8080 --allow-environments test,staging
  ld-mcp call list-flags projectKey=shop --sandbox
  ld-mcp call toggle-flag '{"projectKey":"shop","flagKey":"dark-mode","environmentKey":"test","on":true}'
  ld-mcp tools --toolsets all
  ld-mcp install cursor -- --read-only
`

// printHelp prints what the command of a line takes, or the whole reference where the line names none.
func (a *app) printHelp(l *line) error {
	p := page{width: a.width()}
	if l.named {
		p.text("Usage: " + l.usage())
		p.gap().text(l.kind.help)
	} else {
		p.text("Usage: ld-mcp <command> [flags]")
		p.gap().text(about)
		var rows []row
		for _, c := range commands {
			rows = append(rows, row{c.name, c.help})
		}
		p.rows("Commands:", rows)
	}
	arguments, flags := []row{}, []row{{"-h, --help", "Print this help."}}
	for i := range l.own {
		if own := &l.own[i]; own.argument {
			arguments = append(arguments, row{own.summary(), own.help})
		} else {
			flags = append(flags, row{"    " + own.summary(), own.help})
		}
	}
	if len(arguments) > 0 {
		p.rows("Arguments:", arguments)
	}
	p.rows("Flags:", flags)
	var group []row
	for i := range l.options {
		o := &l.options[i]
		group = append(group, row{o.summary(), o.described()})
		if i+1 == len(l.options) || l.options[i+1].group != o.group {
			p.rows(o.group, group)
			group = nil
		}
	}
	if !l.named {
		p.epilogue()
	}
	_, err := fmt.Fprint(a.stdout, p.String())
	return err
}

func (l *line) usage() string {
	words := "ld-mcp " + l.kind.name
	for i := range l.own {
		if p := &l.own[i]; p.argument {
			words += " " + p.summary()
		}
	}
	return words + " [flags]"
}

// summary is how a parameter is written.
func (p *parameter) summary() string {
	many := ""
	switch {
	case p.argument:
		if p.isList() {
			many = " ..."
		}
		if p.optional {
			return "[<" + p.name + ">" + many + "]"
		}
		return "<" + p.name + ">" + many
	case p.isSwitch():
		return "--" + p.name
	case p.isList():
		many = ",..."
	}
	return "--" + p.name + "=" + p.placeholder + many
}

// described is the help of an option that every command takes.
func (p *parameter) described() string {
	text := p.help
	if p.fallback != "" {
		text += " Default: " + p.fallback + "."
	}
	return text + " $" + variableOf(p.name)
}

const (
	widest    = 110 // a line that is longer is hard to read
	narrowest = 40
)

// width is how many columns there are to print on.
func (a *app) width() int {
	width, err := strconv.Atoi(a.getenv("COLUMNS"))
	if f, ok := a.stdout.(*os.File); err != nil && ok {
		width, _, err = term.GetSize(int(f.Fd()))
	}
	if err != nil || width <= 0 {
		width = 80
	}
	return max(narrowest, min(width, widest))
}

// page is text with lines of a width.
type page struct {
	strings.Builder
	width int
}

// row is a term and what there is to say about it.
type row struct{ term, text string }

func (p *page) gap() *page {
	p.WriteByte('\n')
	return p
}

func (p *page) text(text string) {
	for _, line := range wrap(text, p.width) {
		p.WriteString(line + "\n")
	}
}

// rows writes a title and below it rows in two columns. A term that is too long has a line of its own.
func (p *page) rows(title string, rows []row) {
	const margin, between = 2, 2
	most := p.width*3/8 - margin
	column := 0
	for _, r := range rows {
		if n := utf8.RuneCountInString(r.term); n <= most {
			column = max(column, n)
		}
	}
	left := margin + column + between
	p.gap().text(title)
	for _, r := range rows {
		lines := wrap(r.text, p.width-left)
		if utf8.RuneCountInString(r.term) > column {
			fmt.Fprintf(p, "%*s%s\n", margin, "", r.term)
		} else {
			fmt.Fprintf(p, "%*s%-*s%s\n", margin, "", column+between, r.term, lines[0])
			lines = lines[1:]
		}
		for _, line := range lines {
			fmt.Fprintf(p, "%*s%s\n", left, "", line)
		}
	}
}

// wrap breaks a text into lines between its words.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// epilogue is what there is to say besides commands and options.
func (p *page) epilogue() {
	p.gap().text(`Run "ld-mcp <command> --help" for more information on a command.`)
	var rows []row
	for _, name := range tokenVariables {
		rows = append(rows, row{"$" + name, "or $" + name + "_FILE"})
	}
	p.rows("Access token, from the first of these that is set; never an option:", rows)
	p.text("A _FILE variable names a file that holds the token; it is read again when it changes.")
	p.gap().text("Every option can be given as the environment variable beside it; the command line wins. " +
		"Lists are comma-separated. An empty variable counts as not set. " +
		"HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE work as in other programs.")
	p.gap().text("Examples:")
	p.WriteString(examples)
	p.gap().text("Exit status: 0 when all went well, 1 on an error, 2 when the command line or a variable is wrong.")
}
