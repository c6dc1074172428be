package tools

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/ld-mcp/ld-mcp/internal/hosted"
	"github.com/ld-mcp/ld-mcp/internal/pattern"
	"github.com/ld-mcp/ld-mcp/ldclient"
)

// Hosted says which tools of MCP servers that LaunchDarkly hosts are passed through.
type Hosted struct {
	Names []string // names and globs
	URLs  []string
}

const (
	hostedSet = "hosted"
	maxHosted = 100 // tools that are passed through

	hostedEvery  = 5 * time.Minute // between two readings of the list
	hostedAgain  = 5 * time.Second // after one that failed, longer each time
	hostedWithin = 30 * time.Second
	hostedHolds  = time.Minute // for how long a tool that only reads is taken for what it was
)

// passThrough is what a server knows of hosted tools. It is safe for concurrent use.
type passThrough struct {
	srv     *Server
	names   []string
	servers []*hosted.Server
	turn    chan struct{} // held while the lists are read
	lists   [][]hosted.Tool
	now     atomic.Pointer[hostedList]
	asked   sync.Map // name of a tool to the digest of what a confirmation was asked for
	holds   time.Duration
	told    string            // digest of what was logged last
	own     map[string]string // names of our own tools, as fold leaves them
}

// hostedList is what one reading found. Nobody changes it.
type hostedList struct {
	tools   []*served                    // before the first reading those that are named in full
	offered []string                     // names of all tools that the servers have
	left    []string                     // what is offered, was asked for, and is not passed through, and why
	missing []string                     // names of tools that are not there
	read    map[*hosted.Server]time.Time // when each of them answered last
}

func (l *hostedList) find(name string) *served {
	if i := slices.IndexFunc(l.tools, func(t *served) bool { return t.Name == name }); i >= 0 {
		return l.tools[i]
	}
	return nil
}

var hostedName = pattern.Of(`^[A-Za-z0-9_-]{1,64}$`)

// newPassThrough checks what the operator wants passed through. It makes no request.
func newPassThrough(s *Server, o Hosted) (*passThrough, error) {
	if len(o.URLs) == 0 {
		return nil, errors.New("hosted tools are wanted, and no address of a hosted server is given")
	}
	h := &passThrough{srv: s, names: o.Names, turn: make(chan struct{}, 1), lists: make([][]hosted.Tool, len(o.URLs)), holds: hostedHolds, own: ourNames()}
	for _, address := range o.URLs {
		bearer, err := s.opts.Client.Bearer(address)
		if err != nil {
			return nil, fmt.Errorf("hosted server: %w", err)
		}
		h.servers = append(h.servers, hosted.New(hosted.Config{URL: address, Transport: bearer, Version: s.opts.Version}))
	}
	first := &hostedList{}
	for _, name := range o.Names {
		if _, err := path.Match(name, ""); err != nil {
			return nil, fmt.Errorf("hosted tools: %q is not a glob", name)
		}
		if isGlob(name) {
			continue
		}
		if !hostedName().MatchString(name) {
			return nil, fmt.Errorf("hosted tools: %q is not the name of a tool; write letters, digits, - and _, or a glob", short(name, 100))
		}
		if own := h.own[fold(name)]; own != "" {
			return nil, fmt.Errorf("hosted tools: this server has its own %s, which LaunchDarkly's never replaces; leave %s out", own, name)
		}
		if first.find(name) == nil {
			first.tools = append(first.tools, h.unread(name))
		}
	}
	h.now.Store(first)
	h.register(nil, first)
	return h, nil
}

func isGlob(name string) bool { return strings.ContainsAny(name, `*?[\`) }

// ourNames are the names in this program's catalogue that a hosted tool's could be taken for.
func ourNames() map[string]string {
	out := map[string]string{}
	for _, set := range Catalog() {
		for _, t := range set.Tools {
			for _, name := range append(slices.Clone(t.Aliases), t.Name) {
				out[fold(name)] = t.Name
			}
		}
	}
	return out
}

// known are the hosted tools as of the last reading, nil where none are wanted.
func (h *passThrough) known() []*served {
	if h == nil {
		return nil
	}
	return h.now.Load().tools
}

// register makes the tools of a list callable, and those that are gone not.
// It tells clients where they would be told something else than before.
func (h *passThrough) register(was, is *hostedList) {
	var come []server.ServerTool
	var gone []string
	for _, t := range is.tools {
		if was == nil || was.find(t.Name) == nil {
			name := t.Name
			come = append(come, server.ServerTool{Tool: mcp.Tool{Name: name, RawInputSchema: anyObject}, Handler: func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				t := h.now.Load().find(name)
				if t == nil {
					t = h.absent(name, nil)
				}
				return h.srv.handler(t)(ctx, req)
			}})
		}
	}
	if was != nil {
		for _, t := range was.tools {
			if is.find(t.Name) == nil {
				gone = append(gone, t.Name)
			}
		}
	}
	if len(come) > 0 {
		h.srv.mcp.AddTools(come...)
	}
	if len(gone) > 0 {
		h.srv.mcp.DeleteTools(gone...)
	}
	if was != nil && len(come)+len(gone) == 0 && was.says() != is.says() {
		h.srv.mcp.SendNotificationToAllClients(mcp.MethodNotificationToolsListChanged, nil)
	}
}

// says identifies what clients are told of the tools.
func (l *hostedList) says() string {
	var all []any
	for _, t := range l.tools {
		k := t.code.(*hostedCode)
		all = append(all, t.Name, t.hidden, t.Title, t.Doc, string(k.schema), k.hints)
	}
	return digest(all)
}

// until reads the lists once a client uses the server, and again every few minutes, until ctx ends.
func (h *passThrough) until(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-h.srv.may.inUse:
	}
	wait := hostedAgain
	for {
		next := hostedEvery
		if err := h.read(ctx); err != nil {
			next, wait = wait, min(2*wait, hostedEvery)
			h.srv.opts.Log.Warn("the list of hosted tools could not be read", "error", h.srv.opts.Client.Mask(err.Error()))
		} else {
			wait = hostedAgain
			h.tell()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
	}
}

// tell logs what is not passed through although it was asked for, when that is news.
func (h *passThrough) tell() {
	l := h.now.Load()
	if news := digest([]any{l.missing, l.left}); news != h.told {
		h.told = news
		if len(l.missing)+len(l.left) > 0 {
			h.srv.opts.Log.Warn("hosted tools that are not passed through", "missing", l.missing, "left", someText(l.left))
		}
	}
}

func someText(list []string) string {
	const most = 10
	if n := len(list) - most; n > 0 {
		return fmt.Sprintf("%s; and %d more", strings.Join(list[:most], "; "), n)
	}
	return strings.Join(list, "; ")
}

// read reads the lists of all servers. What is known of a server that does not answer is kept.
func (h *passThrough) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, hostedWithin)
	defer cancel()
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var failed error
	was := h.now.Load()
	read := maps.Clone(was.read)
	if read == nil {
		read = map[*hosted.Server]time.Time{}
	}
	for i, s := range h.servers {
		got, err := s.Tools(ctx)
		if err != nil {
			failed = err
			continue
		}
		h.lists[i], read[s] = got, time.Now()
	}
	is := h.judge(len(read) == len(h.servers))
	is.read = read
	h.now.Store(is)
	h.register(was, is)
	return failed
}

// judge makes a list of what the servers offer; all says whether each of them has ever answered.
func (h *passThrough) judge(all bool) *hostedList {
	l := &hostedList{}
	size := 0
	take := func(wanted func(string) bool, literal bool) {
		for i, list := range h.lists {
			for _, def := range list {
				if !wanted(def.Name) || l.find(def.Name) != nil {
					continue
				}
				own := ""
				if !literal {
					own = h.own[fold(def.Name)]
				}
				switch {
				case !hostedName().MatchString(def.Name):
					l.left = append(l.left, fmt.Sprintf("%q, whose name clients may not take", short(def.Name, 64)))
				case own != "":
					l.left = append(l.left, def.Name+", for which this server has its own "+own)
				case len(l.tools) >= maxHosted:
					l.left = append(l.left, fmt.Sprintf("%s, as more than %d are too many", def.Name, maxHosted))
				default:
					t := h.serve(h.servers[i], def, size)
					size += len(t.code.(*hostedCode).schema)
					l.tools = append(l.tools, t)
				}
			}
		}
	}
	for _, list := range h.lists {
		for _, def := range list {
			if hostedName().MatchString(def.Name) {
				l.offered = append(l.offered, def.Name)
			}
		}
	}
	for _, name := range h.names {
		if !isGlob(name) {
			take(func(offered string) bool { return offered == name }, true)
			if l.find(name) == nil && len(l.tools) < maxHosted {
				if all {
					l.missing = append(l.missing, name)
					l.tools = append(l.tools, h.absent(name, l.offered))
				} else {
					l.tools = append(l.tools, h.unread(name))
				}
			}
		}
	}
	for _, glob := range h.names {
		if isGlob(glob) {
			take(func(offered string) bool { ok, _ := path.Match(glob, offered); return ok }, false)
		}
	}
	slices.Sort(l.left)
	l.left = slices.Compact(l.left)
	return l
}

// asOf returns a tool as it is described now, or was not longer ago than a tool that only reads may be used for.
func (h *passThrough) asOf(ctx context.Context, t *served) (*served, error) {
	l, start := h.now.Load(), time.Now()
	from := t.code.(*hostedCode).from
	if from != nil && t.Effect == Read && time.Since(l.read[from]) < h.holds {
		return t, nil
	}
	err := h.read(ctx)
	l = h.now.Load()
	is := l.find(t.Name)
	switch {
	case is != nil && is.code.(*hostedCode).from != nil && !l.read[is.code.(*hostedCode).from].Before(start):
		return is, nil // whatever became of other servers
	case err != nil:
		return nil, err
	case is != nil:
		return is, nil
	}
	return h.absent(t.Name, l.offered), nil
}

// close ends the sessions.
func (h *passThrough) close() {
	if h == nil {
		return
	}
	var all sync.WaitGroup
	for _, s := range h.servers {
		all.Go(s.Close)
	}
	all.Wait()
}

// HostedTools is what came of reading the lists of the hosted servers.
type HostedTools struct {
	Offered int
	Served  []string
	Missing []string // names that were asked for and are not there
	Left    []string // what was asked for and is not passed through, and why
}

// ReadHosted reads the lists of the hosted servers and waits for it.
func (s *Server) ReadHosted(ctx context.Context) (HostedTools, error) {
	if s.hosted == nil {
		return HostedTools{}, nil
	}
	if err := s.hosted.read(ctx); err != nil {
		return HostedTools{}, errors.New(hostedTrouble(s.opts.Client, err))
	}
	l := s.hosted.now.Load()
	out := HostedTools{Offered: len(l.offered), Missing: l.missing, Left: l.left}
	for _, t := range l.tools {
		if t.hidden == "" {
			out.Served = append(out.Served, t.Name)
		}
	}
	return out, nil
}

// hostedTrouble says in a sentence without its full stop why a hosted server did not answer.
func hostedTrouble(ld *ldclient.Client, err error) string {
	says, at, status := err.Error(), "", ""
	if e, ok := errors.AsType[*hosted.Error](err); ok {
		says, at = e.Message, " ("+e.Host+")"
		if e.Status > 0 {
			status = fmt.Sprintf(" (HTTP %d)", e.Status)
		}
	}
	return "LaunchDarkly's hosted MCP server" + at + ": " + strings.TrimRight(short(clean(ld.Mask(says)), maxWords), ".") + status
}
