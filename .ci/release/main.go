// Command release makes what goreleaser does not: the texts of the licences,
// the MCP bundle, the container image and the registry's entry. It also holds
// a finished release against what it should be.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

var commands = map[string]struct {
	args string
	run  func(args []string) error
}{
	"licences":   {"FILE.md TEXTS.txt", func(a []string) error { return licences(a[0], a[1]) }},
	"bundle":     {"DIST VERSION UNIX-TIME", func(a []string) error { return bundle(a[0], a[1], a[2]) }},
	"image":      {"DIST VERSION COMMIT UNIX-TIME", func(a []string) error { return image(a[0], a[1], a[2], a[3]) }},
	"push-image": {"DIST REFERENCE…", func(a []string) error { return pushImage(a[0], a[1:]...) }},
	"check":      {"DIST VERSION COMMIT", func(a []string) error { return check(a[0], a[1], a[2]) }},
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("say what to do: licences, bundle, image, push-image or check")
	}
	c, ok := commands[args[0]]
	if !ok {
		return fmt.Errorf("there is no %s", args[0])
	}
	n := 1
	for _, r := range c.args {
		if r == ' ' {
			n++
		}
	}
	if len(args)-1 < n {
		return fmt.Errorf("give %s", c.args)
	}
	return c.run(args[1:])
}

// platform is one that ld-mcp is released for.
type platform struct{ os, arch string }

var platforms = []platform{
	{"darwin", "amd64"}, {"darwin", "arm64"},
	{"linux", "amd64"}, {"linux", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"},
}

func (p platform) String() string { return p.os + "/" + p.arch }

// binary finds what goreleaser built for a platform; arch "all" is the one for both Macs.
func (p platform) binary(dist string) (string, error) {
	name := "ld-mcp"
	if p.os == "windows" {
		name += ".exe"
	}
	found, err := filepath.Glob(filepath.Join(dist, "*_"+p.os+"_"+p.arch+"*", name))
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%d binaries for %s in %s", len(found), p, dist)
	}
	if err != nil {
		return "", err
	}
	return found[0], nil
}
