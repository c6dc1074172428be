package ldclient

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// apiPath is an escaped path below /api/v2, or the reason why it cannot be built.
type apiPath struct {
	escaped string
	err     error
}

const maxKey = 512 // bytes; LaunchDarkly's own keys end at 256

// free marks a path segment that may hold any printable text, such as a context key.
type free string

// path joins segments below /api/v2, escaping each by itself. A string must
// look like a key and a free must be printable; a segment that is empty or made
// of dots would climb to another resource, so none passes.
func path(segments ...any) apiPath {
	var b strings.Builder
	for _, segment := range segments {
		var s string
		var err error
		switch v := segment.(type) {
		case string:
			s, err = v, CheckKey(v)
		case free:
			s, err = string(v), checkFree(string(v))
		default:
			err = fmt.Errorf("path segment of type %T", segment)
		}
		if err != nil {
			return apiPath{err: &InvalidError{Message: err.Error()}}
		}
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return apiPath{escaped: b.String()}
}

// CheckKey says what keeps s from being the key of a resource, nil if nothing
// does. Keys are letters, digits, ".", "_" and "-"; older ones with other
// printable characters pass as long as none could end a path segment, or a part of a resource specifier.
func CheckKey(s string) error {
	if err := checkFree(s); err != nil {
		return err
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`/\?#%:;*,{}`, r) }); i >= 0 {
		return fmt.Errorf("%q is not a key: it holds %q, and keys hold letters, digits, \".\", \"_\" and \"-\"", s, []rune(s[i:])[0])
	}
	return nil
}

func checkFree(s string) error {
	switch {
	case len(s) > maxKey:
		return fmt.Errorf("a key of %d bytes is too long; keys have at most %d", len(s), maxKey)
	case s == "":
		return fmt.Errorf("a key is empty; give the key of the resource that is meant")
	case strings.Trim(s, ".") == "":
		return fmt.Errorf("%q is not a key: it holds only dots", s)
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }):
		return fmt.Errorf("%q is not a key: it holds control characters", s)
	}
	return nil
}
