package gateway

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"time"
)

// sessions counts the sessions of all callers and knows whose they are. The id
// of a session at /mcp is signed, so that a replica with the same key accepts
// it without having seen it begin.
type sessions struct {
	key    []byte
	limits Limits
	now    func() time.Time

	mu    sync.Mutex
	live  map[string]*session // by id
	ended map[string]time.Time
	held  map[string]int // by caller
	swept time.Time
}

type session struct {
	caller string
	used   time.Time
	stream *listening // the GET stream of a session at /mcp, nil if it has none
	pinned bool       // an /sse session, which lives as long as its stream
}

// listening is an open stream that a newer one may replace.
type listening struct {
	end  func()
	done chan struct{}
}

const idLifetime = 24 * time.Hour

var (
	errSession  = errors.New("there is no such session; begin a new one with initialize")
	errTooMany  = errors.New("too many sessions are open; end one first")
	errOfCaller = errors.New("this caller has too many sessions open; end one first")
)

func newSessions(key []byte, l Limits) *sessions {
	return &sessions{key: key, limits: l, now: time.Now, live: map[string]*session{}, ended: map[string]time.Time{}, held: map[string]int{}}
}

// sign returns the part of an id that only a server with the key can make.
func (s *sessions) sign(caller string, payload []byte) string {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte("session\x00" + caller + "\x00"))
	m.Write(payload)
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:18])
}

// begin opens a session for a caller.
func (s *sessions) begin(caller string, pinned bool) (string, error) {
	payload := make([]byte, 20)
	rand.Read(payload[:16])
	binary.BigEndian.PutUint32(payload[16:], uint32(s.now().Unix()/60)) //nolint:gosec // minutes fit until the year 10136
	id := base64.RawURLEncoding.EncodeToString(payload) + "." + s.sign(caller, payload)
	s.mu.Lock()
	defer s.mu.Unlock()
	return id, s.keep(id, caller, pinned)
}

// keep holds a session, if there is room. The mutex is held.
func (s *sessions) keep(id, caller string, pinned bool) error {
	s.sweep()
	switch {
	case len(s.live) >= s.limits.Sessions:
		return errTooMany
	case s.held[caller] >= s.limits.SessionsPerCaller:
		return errOfCaller
	}
	s.live[id] = &session{caller: caller, used: s.now(), pinned: pinned}
	s.held[caller]++
	return nil
}

// touch checks that a session at /mcp is open and is the caller's.
func (s *sessions) touch(id, caller string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.live[id]; x != nil {
		if x.caller != caller || x.pinned {
			return errSession
		}
		x.used = s.now()
		return nil
	}
	if _, ended := s.ended[id]; ended || !s.signed(id, caller) {
		return errSession
	}
	return s.keep(id, caller, false) // begun at another replica, or before a restart
}

func (s *sessions) signed(id, caller string) bool {
	text, mac, _ := strings.Cut(id, ".")
	payload, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(payload) != 20 || !hmac.Equal([]byte(mac), []byte(s.sign(caller, payload))) {
		return false
	}
	begun := time.Unix(int64(binary.BigEndian.Uint32(payload[16:]))*60, 0)
	return s.now().Sub(begun) < idLifetime
}

// end forgets a session. One that was at /mcp is not accepted again here.
func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(id)
}

func (s *sessions) forget(id string) {
	x := s.live[id]
	if x == nil {
		return
	}
	delete(s.live, id)
	if x.stream != nil {
		x.stream.end()
	}
	if s.held[x.caller]--; s.held[x.caller] == 0 {
		delete(s.held, x.caller)
	}
	if !x.pinned {
		if len(s.ended) >= 10*s.limits.Sessions { // what is forgotten here could only be begun again by its own caller
			clear(s.ended)
		}
		s.ended[id] = s.now()
	}
}

// sweep forgets, once a minute or once a second while there is no room, what was not used for long.
func (s *sessions) sweep() {
	now, every := s.now(), time.Minute
	if len(s.live) >= s.limits.Sessions {
		every = time.Second
	}
	if now.Sub(s.swept) < every {
		return
	}
	s.swept = now
	for id, x := range s.live {
		if !x.pinned && x.stream == nil && now.Sub(x.used) > s.limits.Idle {
			s.forget(id)
			delete(s.ended, id) // it may come back
		}
	}
	for id, when := range s.ended {
		if now.Sub(when) > idLifetime {
			delete(s.ended, id)
		}
	}
}

// listen makes l the stream of a session, if that is still open; the one before it ends first.
func (s *sessions) listen(id string, l *listening) bool {
	s.mu.Lock()
	x := s.live[id]
	var before *listening
	if x != nil {
		before, x.stream = x.stream, l
	}
	s.mu.Unlock()
	if before != nil {
		before.end()
		<-before.done
	}
	return x != nil
}

// unlisten notes that a stream ended.
func (s *sessions) unlisten(id string, l *listening) {
	close(l.done)
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.live[id]; x != nil && x.stream == l {
		x.stream, x.used = nil, s.now()
	}
}

func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live)
}
