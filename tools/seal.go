package tools

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// sealed is what a confirmation holds for. It travels through the client, so
// that no replica needs to remember it, and is signed, so that the client
// cannot change it.
type sealed struct {
	Tool      string `json:"t"`
	Arguments string `json:"a"` // digest
	Resource  string `json:"r"`
	Version   string `json:"v"` // of the resource: once it has changed, the confirmation no longer holds
	Caller    string `json:"c"` // digest of who calls, and with which client
	Does      string `json:"d"` // digest of what would be done, in instructions and in words
	Asked     int64  `json:"n"` // Unix milliseconds, from which times in the arguments are counted
	Expires   int64  `json:"x"` // Unix seconds
}

const confirmWithin = 10 * time.Minute

type sealer struct {
	key []byte
	now func() time.Time
}

func (s sealer) sign(payload string) string {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(payload))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func (s sealer) close(v sealed) string {
	v.Expires = s.now().Add(confirmWithin).Unix()
	payload := base64.RawURLEncoding.EncodeToString(mustJSON(v))
	return payload + "." + s.sign(payload)
}

// asked is when the question was put that state belongs to.
func (s sealer) asked(state string) (time.Time, bool) {
	got, err := s.read(state)
	return time.UnixMilli(got.Asked), err == nil
}

// read is what was sealed here.
func (s sealer) read(state string) (got sealed, err error) {
	payload, mac, _ := strings.Cut(state, ".")
	if !hmac.Equal([]byte(mac), []byte(s.sign(payload))) {
		return got, errors.New("it was not issued by this server")
	}
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err == nil {
		err = json.Unmarshal(b, &got)
	}
	if err != nil {
		return got, errors.New("it was not issued by this server")
	}
	return got, nil
}

// open checks that state was sealed here for exactly want and has not expired.
func (s sealer) open(state string, want sealed) error {
	got, err := s.read(state)
	if err != nil {
		return err
	}
	expires := got.Expires
	got.Expires = 0
	switch {
	case s.now().Unix() > expires:
		return errors.New("it has expired")
	case got.Version != want.Version && got.Resource == want.Resource:
		return errors.New("the resource has changed since")
	case got.Does != want.Does && got.Tool == want.Tool && got.Arguments == want.Arguments && got.Resource == want.Resource:
		return errors.New("what would be done is not what was confirmed any more")
	case got != want:
		return errors.New("it was given for another call")
	}
	return nil
}

// digest identifies a value by its JSON; maps encode with sorted keys.
func digest(v any) string {
	sum := sha256.Sum256(mustJSON(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
