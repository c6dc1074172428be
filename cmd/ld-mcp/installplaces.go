package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// places says where the clients on a machine keep their files.
type places struct {
	goos   string
	getenv func(string) string
	glob   func(pattern string) ([]string, error)
	exists func(path string) bool
}

// place finds one file.
type place func(places) (string, error)

func (p places) join(parts ...string) string {
	if p.goos == "windows" {
		return strings.Join(parts, `\`)
	}
	return strings.Join(parts, "/")
}

func (p places) variable(name string) (string, error) {
	if v := p.getenv(name); v != "" {
		return strings.TrimRight(v, `/\`), nil
	}
	return "", fmt.Errorf("%s is not set, so there is no telling where the client keeps its files. Set it, or use --print and put the entry there yourself", name)
}

func (p places) home() (string, error) {
	if p.goos == "windows" {
		return p.variable("USERPROFILE")
	}
	return p.variable("HOME")
}

// absolute is where a path of the command line leads to, whatever directory a client starts in.
func (p places) absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := p.home()
		return filepath.Join(home, rest), err
	}
	return filepath.Abs(path)
}

// config is where programs keep their settings that follow the XDG rules, on macOS too.
func (p places) config() (string, error) {
	if dir := p.getenv("XDG_CONFIG_HOME"); dir != "" {
		return strings.TrimRight(dir, `/\`), nil
	}
	home, err := p.home()
	return p.join(home, ".config"), err
}

// settings is where desktop programs keep their settings.
func (p places) settings() (string, error) {
	switch p.goos {
	case "windows":
		return p.variable("APPDATA")
	case "darwin":
		home, err := p.home()
		return p.join(home, "Library", "Application Support"), err
	}
	return p.config()
}

// roaming is the same as config but on Windows.
func (p places) roaming() (string, error) {
	if p.goos == "windows" {
		return p.variable("APPDATA")
	}
	return p.config()
}

func under(dir func(places) (string, error), parts ...string) place {
	return func(p places) (string, error) {
		d, err := dir(p)
		return p.join(append([]string{d}, parts...)...), err
	}
}

// movedBy is a file in the home directory whose directory a variable can move elsewhere.
func movedBy(variable, file string, dirs ...string) place {
	return func(p places) (string, error) {
		if dir := p.getenv(variable); dir != "" {
			return p.join(strings.TrimRight(dir, `/\`), file), nil
		}
		home, err := p.home()
		return p.join(append(append([]string{home}, dirs...), file)...), err
	}
}

// claudeDesktopFile is in the sandbox of the app where Windows installed it as a package.
func claudeDesktopFile(p places) (string, error) {
	const file = "claude_desktop_config.json"
	if local := p.getenv("LOCALAPPDATA"); p.goos == "windows" && local != "" {
		found, err := p.glob(p.join(strings.TrimRight(local, `/\`), "Packages", "Claude_*"))
		switch {
		case err != nil:
			return "", err
		case len(found) > 1:
			return "", errors.New("several packages of Claude are installed, and only one of them is read. Use --print, and add the entry with Settings > Developer > Edit Config")
		case len(found) == 1:
			return p.join(found[0], "LocalCache", "Roaming", "Claude", file), nil
		}
	}
	dir, err := p.settings()
	return p.join(dir, "Claude", file), err
}

func clineFile(p places) (string, error) {
	if file := p.getenv("CLINE_MCP_SETTINGS_PATH"); file != "" {
		return file, nil
	}
	if dir := p.getenv("CLINE_DATA_DIR"); dir != "" {
		return p.join(strings.TrimRight(dir, `/\`), "settings", "cline_mcp_settings.json"), nil
	}
	if dir := p.getenv("CLINE_DIR"); dir != "" {
		return p.join(strings.TrimRight(dir, `/\`), "data", "settings", "cline_mcp_settings.json"), nil
	}
	return under(places.home, ".cline", "data", "settings", "cline_mcp_settings.json")(p)
}

// openCodeFile is the one of its two files that is there.
func openCodeFile(p places) (string, error) {
	dir, err := p.config()
	file := p.join(dir, "opencode", "opencode.json")
	if err == nil && !p.exists(file) && p.exists(file+"c") {
		file += "c"
	}
	return file, err
}

// windsurfFile is of the older agent of what is Devin Desktop now.
var windsurfFile = under(places.home, ".codeium", "windsurf", "mcp_config.json")

func zedFile(p places) (string, error) {
	if p.goos == "windows" {
		return under(places.roaming, "Zed", "settings.json")(p)
	}
	return under(places.config, "zed", "settings.json")(p)
}

func gooseFile(p places) (string, error) {
	if p.goos == "windows" {
		return under(places.roaming, "Block", "goose", "config", "config.yaml")(p)
	}
	return under(places.config, "goose", "config.yaml")(p)
}

func visualStudioFile(p places) (string, error) {
	if p.goos != "windows" {
		return "", errors.New("there is Visual Studio on Windows only. Use --scope project for a solution that others open with it, or vscode for Visual Studio Code")
	}
	return under(places.home, ".mcp.json")(p)
}

// tokenFilePlace is where the token's file is expected when nothing else is said.
var tokenFilePlace = under(places.roaming, "ld-mcp", "token")
