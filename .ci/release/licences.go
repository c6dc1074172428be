package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// allowed are the licences that a dependency may be under.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"}

// dependency is a module, some of whose packages are linked into ld-mcp.
type dependency struct {
	path, version string
	files         map[string][]byte // below the module's directory
}

var (
	licenceFile = regexp.MustCompile(`(?i)^(licen[cs]es?|copying|unlicense)([-.].*)?$`)
	noticeFile  = regexp.MustCompile(`(?i)^(notice|patents|copyright)([-.].*)?$`)
)

// licences writes the list of what is linked into ld-mcp, and the texts that must go with it.
func licences(list, texts string) error {
	root := "../.."
	deps, err := linked(root)
	if err != nil {
		return err
	}
	var table strings.Builder
	table.WriteString(`# Licences of what is in the binary

Each of these modules is linked into ld-mcp for at least one of the platforms that it is released for. Their licences are in every release archive, in full, as ` + "`third-party-licences.txt`" + `. ` + "`.ci/release/run licences`" + ` writes this list.

| Module | Version | Licence |
|---|---|---|
`)
	var wrong []error
	for _, d := range deps {
		names, err := d.licences()
		if err != nil {
			wrong = append(wrong, err)
		}
		fmt.Fprintf(&table, "| %s | %s | %s |\n", d.path, d.version, strings.Join(names, ", "))
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(list, []byte(table.String()), 0o644),
		os.WriteFile(texts, licenceTexts(deps), 0o644),
	)
}

// linked lists the modules in the binaries for all platforms, and Go's own library.
func linked(root string) ([]*dependency, error) {
	found := map[string]*dependency{}
	for _, p := range platforms {
		cmd := exec.Command("go", "list", "-deps", "-f", `{{if .Module}}{{if not .Module.Main}}{{.Module.Path}}|{{.Module.Version}}|{{.Module.Dir}}|{{.Dir}}{{end}}{{end}}`, "./cmd/ld-mcp")
		cmd.Dir, cmd.Stderr = root, os.Stderr
		cmd.Env = append(os.Environ(), "GOOS="+p.os, "GOARCH="+p.arch, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("the packages for %s cannot be listed: %w", p, err)
		}
		for line := range strings.Lines(string(out)) {
			f := strings.Split(strings.TrimSpace(line), "|")
			if len(f) != 4 {
				continue
			}
			d := found[f[0]]
			if d == nil {
				d = &dependency{path: f[0], version: f[1], files: map[string][]byte{}}
				found[f[0]] = d
			}
			// A package may be under other terms than its module.
			for dir := f[3]; ; dir = filepath.Dir(dir) {
				if err := d.read(f[2], dir); err != nil {
					return nil, err
				}
				if dir == f[2] {
					break
				}
			}
		}
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	std := &dependency{path: "Go's standard library", version: "the one that built it", files: map[string][]byte{}}
	dir := strings.TrimSpace(string(goroot))
	if err := std.read(dir, dir); err != nil {
		return nil, err
	}
	deps := slices.SortedFunc(maps.Values(found), func(a, b *dependency) int { return cmp.Compare(a.path, b.path) })
	return append(deps, std), nil
}

// read takes in the licences and notices in one directory of the module.
func (d *dependency) read(module, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || strings.HasSuffix(e.Name(), ".go") || !licenceFile.MatchString(e.Name()) && !noticeFile.MatchString(e.Name()) {
			continue
		}
		name, err := filepath.Rel(module, filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		if d.files[name], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// licences names the licences of the module and fails on one that is unknown or not allowed.
func (d *dependency) licences() ([]string, error) {
	names := map[string]bool{}
	for file, text := range d.files {
		if !licenceFile.MatchString(filepath.Base(file)) {
			continue
		}
		c := licensecheck.Scan(text)
		if c.Percent < 75 {
			return nil, fmt.Errorf("%s: %.0f %% of %s is the text of a known licence; read it", d.path, c.Percent, file)
		}
		for _, m := range c.Match {
			if !slices.Contains(allowed, m.ID) {
				return nil, fmt.Errorf("%s is under %s (%s); do without it, or allow that licence", d.path, m.ID, file)
			}
			names[m.ID] = true
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no licence file; do without it", d.path)
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// licenceTexts has each text once, below the modules that it belongs to.
func licenceTexts(deps []*dependency) []byte {
	var texts []string
	of := map[string][]string{}
	for _, d := range deps {
		for _, file := range slices.Sorted(maps.Keys(d.files)) {
			text := strings.TrimSpace(strings.ReplaceAll(string(d.files[file]), "\r\n", "\n"))
			if of[text] == nil {
				texts = append(texts, text)
			}
			of[text] = append(of[text], fmt.Sprintf("%s %s, %s", d.path, d.version, filepath.ToSlash(file)))
		}
	}
	var b bytes.Buffer
	b.WriteString("ld-mcp contains the following modules under the following terms. The source of each is served by the Go module proxy under its name and version.\n")
	for _, text := range texts {
		fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(of[text], "\n"), text)
	}
	return b.Bytes()
}
