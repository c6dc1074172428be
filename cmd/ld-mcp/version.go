package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
)

// version is set by the linker where there is no repository: -ldflags "-X main.version=1.2.3".
var version string

// build is which build of the program this is.
type build struct {
	Version  string
	Commit   string // "" when unknown
	Time     string
	Modified bool // from a changed working copy
	Go       string
}

// currentVersion reads what the linker and the Go command wrote into the program.
func currentVersion() build {
	b := build{Version: version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Go = info.GoVersion
	if b.Version == "" {
		// The tag that the commit has, which Go found.
		b.Version = strings.TrimPrefix(info.Main.Version, "v")
	}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "devel"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (b build) String() string {
	s := "ld-mcp " + b.Version
	if b.Commit != "" {
		s += fmt.Sprintf(", commit %.12s", b.Commit)
		if b.Modified {
			s += " and changes"
		}
		if b.Time != "" {
			s += " of " + b.Time
		}
	}
	return s + ", " + b.Go
}

type versionCmd struct{}

func (versionCmd) Run(_ context.Context, a *app) error {
	_, err := fmt.Fprintln(a.stdout, currentVersion())
	return err
}
