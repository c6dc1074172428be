package main

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// parameter is a value that the command line can give: an option, or with the
// tag arg an argument. A field of a struct declares it, which takes the value.
type parameter struct {
	name        string // tag name, else the field's in lower case with hyphens
	help        string
	group       string
	placeholder string
	fallback    string   // tag default, written as on the command line
	choices     []string // tag enum
	argument    bool
	optional    bool
	value       any      // where the value goes: a pointer to the field
	given       []string // on the command line
}

// parameters are those that the fields of a struct declare, in their order.
func parameters(of any) []parameter {
	v := reflect.ValueOf(of).Elem()
	out := make([]parameter, v.NumField())
	for i := range out {
		p, field := &out[i], v.Type().Field(i)
		p.value = v.Field(i).Addr().Interface()
		for key, text := range tagsOf(field.Tag) {
			switch key {
			case "name":
				p.name = text
			case "help":
				p.help = text
			case "group":
				p.group = text
			case "placeholder":
				p.placeholder = text
			case "default":
				p.fallback = text
			case "enum":
				p.choices = strings.Split(text, ",")
			case "arg":
				p.argument = true
			case "optional":
				p.optional = true
			}
		}
		if p.name == "" {
			p.name = dashed(field.Name)
		}
	}
	return out
}

// tagsOf goes through a tag once, where Get would for each key. No value holds an escape.
func tagsOf(tag reflect.StructTag) iter.Seq2[string, string] {
	return func(yield func(key, text string) bool) {
		for rest := string(tag); rest != ""; {
			key, quoted, _ := strings.Cut(rest, `:"`)
			text, after, _ := strings.Cut(quoted, `"`)
			if !yield(key, text) {
				return
			}
			rest = strings.TrimLeft(after, " ")
		}
	}
}

func dashed(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func (p *parameter) isSwitch() bool {
	_, ok := p.value.(*bool)
	return ok
}

func (p *parameter) isList() bool {
	_, ok := p.value.(*[]string)
	return ok
}

// Set, String and Type are what pflag wants of a value.
func (p *parameter) Set(text string) error {
	p.given = append(p.given, text)
	return nil
}

func (p *parameter) String() string { return strings.Join(p.given, ",") }
func (p *parameter) Type() string   { return p.placeholder }

// settle gives the field its value: what the command line or the environment gave, else the default.
func (p *parameter) settle() error {
	if p.given == nil && p.fallback != "" {
		return p.set(p.fallback)
	}
	return p.set(p.given...)
}

// set reads texts into the field: each joins a list, and the last wins elsewhere.
func (p *parameter) set(texts ...string) error {
	for _, text := range texts {
		if len(p.choices) > 0 && text != p.fallback && !slices.Contains(p.choices, text) {
			return fmt.Errorf(`--%s must be one of "%s" but got %q`, p.name, strings.Join(p.choices, `","`), text)
		}
		wants := ""
		var err error
		switch v := p.value.(type) {
		case *string:
			*v = text
		case *bool:
			*v, err = readSwitch(text)
			wants = "true or false"
		case *int:
			var n int64
			n, err = strconv.ParseInt(text, 0, strconv.IntSize)
			*v, wants = int(n), "a whole number"
		case *time.Duration:
			*v, err = time.ParseDuration(text)
			wants = "a time such as 30s or 2m"
		case *[]string:
			if p.argument {
				*v = append(*v, text)
			} else {
				*v = append(*v, readList(text)...)
			}
		default:
			panic(fmt.Sprintf("--%s is declared as a %T, which cannot be read", p.name, v))
		}
		if err != nil {
			return fmt.Errorf("--%s: write %s, not %q", p.name, wants, text)
		}
	}
	return nil
}

func readSwitch(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "yes", "1":
		return true, nil
	case "false", "no", "0":
		return false, nil
	}
	return false, strconv.ErrSyntax
}

// readList splits at commas but those behind a backslash.
func readList(text string) []string {
	var out []string
	item := ""
	for text != "" {
		before, after, more := strings.Cut(text, ",")
		text = after
		if kept, escaped := strings.CutSuffix(before, `\`); escaped && more {
			item += kept + ","
			continue
		}
		if item += before; item != "" || more {
			out = append(out, item)
		}
		item = ""
	}
	if item != "" {
		out = append(out, item)
	}
	return out
}
