package gateway

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// Keys lets in who sends one of several keys. Only their hashes are known here.
type Keys struct {
	hashes []keyHash
}

type keyHash struct {
	name string
	sum  [sha256.Size]byte
}

const hashPrefix = "sha256:"

// NewKey returns a new key, and the line of a key file that lets it in under a name.
func NewKey(name string) (key, line string) {
	key = "ldm-" + rand.Text()
	sum := sha256.Sum256([]byte(key))
	return key, name + " " + hashPrefix + hex.EncodeToString(sum[:])
}

// ParseKeys reads lines of a name and a hash, as NewKey writes them. Empty lines and those that begin with # are passed over.
func ParseKeys(text string) (*Keys, error) {
	k := &Keys{}
	for n, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		wrong := func(why string) error {
			return fmt.Errorf("line %d of the keys %s; write a name and a hash, as ld-mcp key prints them", n+1, why)
		}
		if len(fields) != 2 {
			return nil, wrong("does not hold two words")
		}
		hexed, ok := strings.CutPrefix(fields[1], hashPrefix)
		if !ok {
			return nil, wrong("holds no " + hashPrefix + " hash")
		}
		sum, err := hex.DecodeString(hexed)
		if err != nil || len(sum) != sha256.Size {
			return nil, wrong("holds a hash that is cut off or mistyped")
		}
		k.hashes = append(k.hashes, keyHash{fields[0], [sha256.Size]byte(sum)})
	}
	return k, nil
}

var errNoKey = errors.New("there is no key; make one with ld-mcp key NAME")

// Empty says why keys that let nobody in are not what was meant, nil where there are some.
func (k *Keys) Empty() error {
	if len(k.hashes) == 0 {
		return errNoKey
	}
	return nil
}

// Authenticate lets in a request with a known key. It takes as long for one that is wrong.
func (k *Keys) Authenticate(r *http.Request) (Caller, *Denial) {
	given, denied := bearer(r)
	if denied != nil {
		return Caller{}, denied
	}
	sum := sha256.Sum256([]byte(given))
	found := -1
	for i := range k.hashes {
		if subtle.ConstantTimeCompare(sum[:], k.hashes[i].sum[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return Caller{}, unauthorized("invalid_token", "The key is not known here.")
	}
	name := k.hashes[found].name
	return Caller{ID: "key:" + name, Name: name}, nil
}

// bearer is the credential of a request. It comes from the Authorization header alone.
func bearer(r *http.Request) (string, *Denial) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", unauthorized("", "Send your key in the Authorization header, as Bearer.")
	}
	scheme, given, ok := strings.Cut(values[0], " ")
	given = strings.TrimSpace(given)
	if len(values) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || given == "" || len(given) > maxCredential {
		return "", unauthorized("invalid_request", "The Authorization header must hold Bearer and one key.")
	}
	return given, nil
}

const maxCredential = 8 << 10 // bytes

func unauthorized(code, message string) *Denial {
	challenge := `Bearer realm="ld-mcp"`
	if code != "" {
		challenge += fmt.Sprintf(`, error=%q, error_description=%q`, code, message)
	}
	return &Denial{Status: http.StatusUnauthorized, Challenge: challenge, Message: message}
}

// KeyFile is Keys in a file, which is read again when it changes.
type KeyFile struct {
	path string
	log  *slog.Logger

	mu      sync.Mutex
	keys    *Keys
	read    []byte
	looked  time.Time
	changed time.Time
}

// NewKeyFile reads a file of keys.
func NewKeyFile(path string, log *slog.Logger) (*KeyFile, error) {
	f := &KeyFile{path: path, log: log}
	if err := f.load(); err != nil {
		return nil, err
	}
	if err := f.keys.Empty(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *KeyFile) load() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	f.changed = info.ModTime()
	if bytes.Equal(text, f.read) {
		return nil
	}
	keys, err := ParseKeys(string(text))
	if err != nil {
		return err
	}
	f.keys, f.read = keys, text
	return nil
}

// Authenticate lets in a request with a key that is in the file now.
func (f *KeyFile) Authenticate(r *http.Request) (Caller, *Denial) { return f.current().Authenticate(r) }

// current reads the file again if it changed. One that cannot be read leaves the
// keys as they were; one that is gone, or holds none any more, lets nobody in.
func (f *KeyFile) current() *Keys {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) < time.Second {
		return f.keys
	}
	f.looked = time.Now()
	if info, err := os.Stat(f.path); err == nil && info.ModTime().Equal(f.changed) {
		return f.keys
	}
	err := f.load()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.keys, f.read = &Keys{}, nil
		f.log.Error("the file of keys is gone, so nobody is let in")
	case err != nil:
		f.log.Warn("the keys could not be read again, so those before stay in use", "error", err)
	case f.keys.Empty() != nil:
		f.log.Error("the file of keys holds none any more, so nobody is let in")
	}
	return f.keys
}
