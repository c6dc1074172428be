package ldclient

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Bounds of what is kept of replies, for one account.
const (
	maxPages     = 256
	maxPage      = 256 << 10 // bytes
	maxPageBytes = 8 << 20   // of all together
)

// cache keeps replies for a short time. Its owner guards it.
type cache struct {
	ttl     time.Duration
	pages   map[readKey]page
	oldest  []readKey
	size    int
	sweeper *time.Timer
}

// page is a kept reply. Nobody changes its body.
type page struct {
	status      int
	contentType string
	body        []byte
	till        time.Time
}

func (p page) response() *http.Response {
	return &http.Response{StatusCode: p.status, Header: http.Header{"Content-Type": {p.contentType}}, Body: &replay{Reader: bytes.NewReader(p.body)}}
}

func (c *cache) get(key readKey, now time.Time) (page, bool) {
	p, ok := c.pages[key]
	return p, ok && now.Before(p.till)
}

// put keeps p, in place of the oldest where there is no room. sweep is called when p is to go.
func (c *cache) put(key readKey, p page, sweep func()) {
	now := time.Now()
	if old, ok := c.pages[key]; !now.Before(p.till) || ok && !p.till.After(old.till) {
		return
	}
	p.body = bytes.Clone(p.body) // reading left it with room to spare
	c.remove(key)
	if len(c.oldest) == 0 && c.sweeper != nil {
		c.sweeper.Reset(c.ttl)
	}
	c.pages[key] = p
	c.oldest = append(c.oldest, key)
	c.size += len(p.body)
	for len(c.oldest) > maxPages || c.size > maxPageBytes {
		c.remove(c.oldest[0])
	}
	if c.sweeper == nil {
		c.sweeper = time.AfterFunc(c.ttl, sweep)
	}
}

// sweep drops what is over, so that an idle client holds no replies.
func (c *cache) sweep(now time.Time) {
	for _, key := range slices.Clone(c.oldest) {
		if !now.Before(c.pages[key].till) {
			c.remove(key)
		}
	}
	if len(c.oldest) > 0 {
		c.sweeper.Reset(c.ttl)
	}
}

func (c *cache) remove(key readKey) {
	p, ok := c.pages[key]
	if !ok {
		return
	}
	delete(c.pages, key)
	c.size -= len(p.body)
	i := slices.Index(c.oldest, key)
	c.oldest = slices.Delete(c.oldest, i, i+1)
}

func (c *cache) clear() {
	clear(c.pages)
	c.oldest, c.size = nil, 0
	if c.sweeper != nil {
		c.sweeper.Stop()
	}
}

// lasting reports whether a read is of something that may be a few seconds old:
// projects, environments, flags, segments and people. What people wait for, such
// as approvals and rollouts, and what tells the state of the token is not.
func (k readKey) lasting() bool {
	if k.root != "" || k.beta {
		return false
	}
	parts := strings.Split(strings.TrimPrefix(k.path, "/"), "/")
	switch n := len(parts); parts[0] {
	case "projects":
		return n <= 2 || n <= 4 && parts[2] == "environments"
	case "flags":
		return n <= 3
	case "segments":
		return n <= 4
	case "members", "teams", "roles":
		return n <= 2 && parts[n-1] != "me"
	}
	return false
}
