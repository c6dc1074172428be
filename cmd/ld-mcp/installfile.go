package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// settingsFile is a client's file as it was read.
type settingsFile struct {
	path   string // as the client names it
	target string // where symbolic links lead
	text   []byte
	mode   fs.FileMode // 0 when there is no file
}

func readSettings(path string) (settingsFile, error) {
	f := settingsFile{path: path, target: path}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return f, fmt.Errorf("%s cannot be followed to a file: %w. Mend or remove the link", path, err)
	}
	f.target = target
	info, err := os.Stat(target)
	if err != nil {
		return f, fmt.Errorf("%s cannot be read: %w. Check its permissions", path, err)
	}
	if !info.Mode().IsRegular() {
		return f, fmt.Errorf("%s is not a file. Remove it, or use --print", path)
	}
	f.mode = info.Mode().Perm()
	if f.text, err = os.ReadFile(target); err != nil {
		return f, fmt.Errorf("%s cannot be read: %w. Check its permissions", path, err)
	}
	return f, nil
}

// inside refuses a project's file that links lead out of the project.
func inside(project, file string) error {
	root, err := follow(project)
	if err != nil {
		return err
	}
	target, err := follow(file)
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(root, target); err != nil || !filepath.IsLocal(rel) {
		return fmt.Errorf("%s was left alone, because a link takes it to %s, outside of the project. Replace the link, or leave --scope out to change your own settings", file, target)
	}
	return nil
}

// follow is where the links of a path lead, also when the last parts of it are not there yet.
func follow(path string) (string, error) {
	_, err := os.Lstat(path)
	parent := filepath.Dir(path)
	if errors.Is(err, fs.ErrNotExist) && parent != path {
		dir, err := follow(parent)
		return filepath.Join(dir, filepath.Base(path)), err
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("%s cannot be followed to a file: %w. Mend or remove the link", path, err)
	}
	return target, nil
}

// write replaces the file in one step, unless somebody else changed it since it was read.
func (f settingsFile) write(text []byte, mode, dirMode fs.FileMode) error {
	fail := func(err error) error {
		return fmt.Errorf("%s cannot be written: %w. Nothing was changed", f.path, err)
	}
	dir := filepath.Dir(f.target)
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return fail(err)
	}
	temp, err := os.CreateTemp(dir, ".ld-mcp-*")
	if err != nil {
		return fail(err)
	}
	defer func() { _ = os.Remove(temp.Name()) }() // which the rename took away when all went well
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close())
	if err != nil {
		return fail(err)
	}
	now, err := os.ReadFile(f.target)
	if errors.Is(err, fs.ErrNotExist) && f.mode == 0 {
		err = nil
	}
	if err != nil {
		return fail(err)
	}
	if !bytes.Equal(now, f.text) {
		return fmt.Errorf("%s was changed by another program just now, and was left as it is. Run this again", f.path)
	}
	if err := os.Rename(temp.Name(), f.target); err != nil {
		return fail(err)
	}
	return nil
}

// commandPath is the path of this program that an entry can name: one that stays
// when a package manager puts another version in its place.
func commandPath(executable string, getenv func(string) string) (string, error) {
	if slices.ContainsFunc(strings.Split(filepath.ToSlash(executable), "/"), func(dir string) bool { return strings.HasPrefix(dir, "go-build") }) {
		return "", errors.New("this program was built by go run and will be deleted when it ends. Install it with go install ./cmd/ld-mcp and run that, or name an installed one with --command")
	}
	self, err := filepath.EvalSymlinks(executable)
	if err != nil {
		return "", fmt.Errorf("this program's own file cannot be found: %w. Name it with --command", err)
	}
	if found := findProgram("ld-mcp", getenv); found != "" {
		if real, err := filepath.EvalSymlinks(found); err == nil && real == self {
			return found, nil
		}
	}
	return executable, nil
}

// findProgram looks for a program on the PATH, and returns its absolute path or nothing.
func findProgram(name string, getenv func(string) string) string {
	for _, dir := range filepath.SplitList(getenv("PATH")) {
		for _, suffix := range []string{"", ".exe"} {
			file := filepath.Join(dir, name+suffix)
			info, err := os.Stat(file)
			if err == nil && filepath.IsAbs(file) && info.Mode().IsRegular() && (suffix != "" || info.Mode().Perm()&0o111 != 0) {
				return file
			}
		}
	}
	return ""
}
