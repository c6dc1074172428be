package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDeclarations holds what is declared by tags against reflect's own reading of them, and against what help needs.
func TestDeclarations(t *testing.T) {
	t.Parallel()
	declared := map[string]any{"": new(options)}
	for _, c := range commands {
		declared[c.name] = c.make()
	}
	known := []string{"name", "help", "group", "placeholder", "default", "enum", "arg", "optional"}
	for command, of := range declared {
		list := parameters(of)
		for i, p := range list {
			tag := reflect.TypeOf(of).Elem().Field(i).Tag
			read := map[string]string{}
			for key, text := range tagsOf(tag) {
				if want, ok := tag.Lookup(key); !ok || text != want {
					t.Errorf("%s %s: the tag %s is %q, and was read as %q", command, p.name, key, want, text)
				}
				read[key] = text
			}
			for _, key := range known {
				if _, ok := tag.Lookup(key); ok {
					if _, ok := read[key]; !ok {
						t.Errorf("%s %s: the tag %s was not read", command, p.name, key)
					}
					delete(read, key)
				}
			}
			if len(read) > 0 {
				t.Errorf("%s %s: nothing reads the tags %v", command, p.name, read)
			}
			if err := p.settle(); err != nil {
				t.Errorf("%s %s: its default cannot be read: %v", command, p.name, err)
			}
			if strings.Contains(p.name, "-") && len(strings.Split(p.name, "-")[0]) == 1 {
				t.Errorf("%s %s: give it a name", command, p.name)
			}
			if !strings.HasSuffix(p.help, ".") {
				t.Errorf("%s %s: %q is not a sentence", command, p.name, p.help)
			}
			if p.argument == (p.placeholder != "") && !p.isSwitch() {
				t.Errorf("%s %s: an option with a value wants a placeholder, and nothing else does", command, p.name)
			}
			if p.argument && p.isList() && i+1 < len(list) && list[i+1].argument {
				t.Errorf("%s %s: no argument can follow it", command, p.name)
			}
			if (command == "") != (p.group != "") {
				t.Errorf("%s %s: the options of every command have groups, and they alone", command, p.name)
			}
		}
	}
}

func TestReadList(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"": nil, ",": {""}, "a": {"a"}, "a,b": {"a", "b"}, "a,": {"a"}, ",a": {"", "a"}, "a,,b": {"a", "", "b"},
		`a\,b`: {"a,b"}, `a\,b,c`: {"a,b", "c"}, `a\,`: {"a,"}, `a\b`: {`a\b`}, `a\`: {`a\`}, "a, b": {"a", " b"},
	} {
		if got := readList(text); !cmp.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
