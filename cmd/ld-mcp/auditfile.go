package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// auditFile appends lines to a file. When the file was renamed or removed, as
// log rotation does, the next line begins a new one.
type auditFile struct {
	path    string
	secrets *secrets

	mu   sync.Mutex
	file *os.File
	torn bool // the next line has to begin by ending another one
}

func openAuditFile(path string, s *secrets) (*auditFile, error) {
	f := &auditFile{path: path, secrets: s}
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("the audit file cannot be opened: %w. Check --audit-file", err)
	}
	if is, err := os.Lstat(path); err == nil && is.Mode()&os.ModeSymlink != 0 { // a link that was given is followed now, and none later
		if to, err := filepath.EvalSymlinks(path); err == nil {
			f.path = to
		}
	}
	return f, nil
}

// open opens the file, and notes whether its last line was left without an end.
func (f *auditFile) open() error {
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	f.file, f.torn = file, unfinished(f.path)
	return nil
}

// reopen opens the file that is in the place of the one that was moved. A link
// there may be somebody's who wants lines written elsewhere.
func (f *auditFile) reopen() error {
	link := &os.PathError{Op: "open", Path: f.path, Err: errors.New("it is a link now, which is not followed")}
	if is, err := os.Lstat(f.path); err == nil && is.Mode()&os.ModeSymlink != 0 {
		return link
	}
	next := &auditFile{path: f.path}
	if err := next.open(); err != nil {
		return err
	}
	is, err := os.Lstat(f.path)
	got, failed := next.file.Stat()
	if err != nil || failed != nil || !os.SameFile(is, got) { // one was put there meanwhile
		next.file.Close()
		return link
	}
	f.file.Close()
	f.file, f.torn = next.file, next.torn
	return nil
}

// unfinished reports whether a file's last line has no end.
func unfinished(path string) bool {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	last := make([]byte, 1)
	if _, err := file.Seek(-1, io.SeekEnd); err != nil {
		return false
	}
	_, err = io.ReadFull(file, last)
	return err == nil && last[0] != '\n'
}

// Write appends one line, in which known tokens are masked.
func (f *auditFile) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.moved() {
		if err := f.reopen(); err != nil {
			return 0, err
		}
	}
	text := f.secrets.mask(string(line))
	if f.torn {
		text = "\n" + text
	}
	n, err := f.file.WriteString(text)
	if n > 0 {
		f.torn = false
	}
	return ofLine(n, len(text), len(line)), err
}

// ofLine is how much of a line was written, of which n bytes of a longer or shorter text were.
func ofLine(n, text, line int) int {
	if n == 0 {
		return 0
	}
	return max(0, n-(text-line))
}

// moved reports whether the path no longer leads to the open file.
func (f *auditFile) moved() bool {
	is, err := os.Stat(f.path)
	if err != nil {
		return os.IsNotExist(err)
	}
	was, err := f.file.Stat()
	return err == nil && !os.SameFile(was, is)
}

func (f *auditFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Close()
}
