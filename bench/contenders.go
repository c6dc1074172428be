package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

const (
	project     = "shop"
	environment = "test"
	pageSize    = 100 // of the upstream, as LaunchDarkly's own clients ask for it
)

// contender is one of the two servers, and how it is asked what both are asked.
type contender struct {
	name    string
	command func(upstream string) []string
	env     func(upstream string) []string
	all     []string // options that make it serve every tool
	files   []string // what an installation consists of

	list   func(offset, limit int) []question // flags with their state in the environment
	get    func(flag string) question         // a flag as it stands in the environment
	toggle func(flag string, on bool) question
	audit  func(limit int) question
	bare   func(offset, limit int) []question // flags without an environment, nil where that says no less
}

func (c *contender) start(ctx context.Context, upstream string, more ...string) (*process, error) {
	p, err := start(ctx, append(c.command(upstream), more...), c.env(upstream))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	return p, nil
}

// open starts the server and waits until it knows its client.
func (c *contender) open(ctx context.Context, upstream string, more ...string) (*process, error) {
	p, err := c.start(ctx, upstream, more...)
	if err != nil {
		return nil, err
	}
	if _, err := p.initialize(); err != nil {
		p.stop()
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	return p, nil
}

// build makes ld-mcp as a release does.
func build(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, "./cmd/ld-mcp")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ld-mcp cannot be built, start this in the root of its repository: %w\n%s", err, said)
	}
	return nil
}

func newOurs(binary string) *contender {
	return &contender{
		name:    "ld-mcp",
		command: func(upstream string) []string { return []string{binary, "--base-url", upstream} },
		env:     func(string) []string { return []string{"LAUNCHDARKLY_ACCESS_TOKEN=" + sandbox.WriterToken} },
		all:     []string{"--toolsets", "all"},
		files:   []string{binary},
		list: func(offset, limit int) []question {
			return []question{{"list-flags", args{"projectKey": project, "environmentKey": environment, "offset": offset, "limit": limit}}}
		},
		get: func(flag string) question {
			return question{"get-flag", args{"projectKey": project, "flagKey": flag, "environmentKey": environment}}
		},
		toggle: func(flag string, on bool) question {
			return question{"toggle-flag", args{"projectKey": project, "flagKey": flag, "environmentKey": environment, "on": on, "comment": "a measurement"}}
		},
		audit: func(limit int) question { return question{"query-audit-log", args{"limit": limit}} },
	}
}

type args map[string]any

const (
	peerPackage = "@launchdarkly/mcp-server"
	peerVersion = "0.6.2"
)

//go:embed peer/package.json peer/package-lock.json peer/.npmrc
var peerFiles embed.FS

func newPeer(dir string) *contender {
	wrapped := func(tool string, request args) question { return question{tool, args{"request": request}} }
	pages := func(offset, limit int, more args) []question {
		var out []question
		for end := offset + limit; offset < end; offset += pageSize {
			request := args{"projectKey": project, "limit": min(pageSize, end-offset), "offset": offset}
			for name, value := range more {
				request[name] = value
			}
			out = append(out, wrapped("list-feature-flags", request))
		}
		return out
	}
	modules := filepath.Join(dir, "node_modules")
	return &contender{
		name: "official " + peerVersion,
		command: func(upstream string) []string {
			return []string{"node", filepath.Join(modules, peerPackage, "bin", "mcp-server.js"), "start",
				"--api-key", sandbox.WriterToken, "--server-url", upstream}
		},
		env:   func(string) []string { return nil },
		files: []string{modules},
		list:  func(offset, limit int) []question { return pages(offset, limit, args{"env": environment}) },
		bare:  func(offset, limit int) []question { return pages(offset, limit, nil) },
		get: func(flag string) question {
			return wrapped("get-feature-flag", args{"projectKey": project, "featureFlagKey": flag, "env": environment})
		},
		toggle: func(flag string, on bool) question {
			return wrapped("update-feature-flag", args{"projectKey": project, "featureFlagKey": flag, "PatchWithComment": args{
				"comment": "a measurement", "patch": []args{{"op": "replace", "path": "/environments/" + environment + "/on", "value": on}}}})
		},
		audit: func(limit int) question { return wrapped("get-audit-log-entries", args{"limit": limit}) },
	}
}

// installPeer returns a folder of the user's cache with the other server in it, put there once.
func installPeer(ctx context.Context) (string, error) {
	files, err := fs.Sub(peerFiles, "peer")
	if err != nil {
		return "", err
	}
	lock, err := fs.ReadFile(files, "package-lock.json")
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no folder to install %s in, give an installed one with --peer: %w", peerPackage, err)
	}
	sum := sha256.Sum256(lock)
	dir := filepath.Join(cache, "ld-mcp-bench", hex.EncodeToString(sum[:8]))
	if installed(dir) {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.CopyFS(dir, files); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline")
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm cannot install %s, give an installed one with --peer: %w\n%s", peerPackage, err, bytes.TrimSpace(said))
	}
	if !installed(dir) {
		return "", fmt.Errorf("%s holds no %s %s after its installation", dir, peerPackage, peerVersion)
	}
	return dir, nil
}

// installed reports whether a folder holds the version that is measured.
func installed(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "node_modules", peerPackage, "package.json"))
	var p struct{ Version string }
	return err == nil && json.Unmarshal(text, &p) == nil && p.Version == peerVersion
}
