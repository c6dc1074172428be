package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// seal signs the states that clients carry back.
var seal = func() []byte {
	key := make([]byte, 32)
	rand.Read(key)
	return key
}()

func sealed(state string) string {
	m := hmac.New(sha256.New, seal)
	m.Write([]byte(state))
	return state + "." + hex.EncodeToString(m.Sum(nil))
}

var errState = errors.New("the requestState was not made here")

// opened checks that a state was made here.
func opened(state string) (string, error) {
	text, _, _ := strings.Cut(state, ".")
	if !hmac.Equal([]byte(sealed(text)), []byte(state)) {
		return "", errState
	}
	return text, nil
}

var (
	askName    = form("What is your name?", `{"name": {"type": "string"}}`, "name")
	askConfirm = form("Please confirm", `{"ok": {"type": "boolean"}}`, "ok")
)

// accepted returns a field that a person filled in; ok is false unless they accepted and it has the type.
func accepted[T any](r mcp.InputResponses, id, field string) (value T, ok bool) {
	e := server.ElicitationResponse(r, id)
	if e == nil || e.Action != mcp.ElicitationResponseActionAccept {
		return value, false
	}
	fields, _ := e.Content.(map[string]any)
	value, ok = fields[field].(T)
	return value, ok
}

func replyf(format string, args ...any) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText(fmt.Sprintf(format, args...)), nil
}

// addRounds adds the tools that answer with what they need to know, as from 2026-07-28.
func (f fixtures) addRounds() {
	f.tool("test_input_required_result_elicitation", "Greets by a name that it asks for.", greet)
	f.tool("test_streaming_elicitation", "Greets by a name that it asks for.", greet)
	f.tool("test_input_required_result_sampling", "Has the client sample.", func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		reply := server.SamplingResponse(r.Params.InputResponses, "capital_question")
		if reply == nil {
			return server.NewInputRequestBuilder("").Sample("capital_question", sampling("What is the capital of France?", 100)).ToolResult(), nil
		}
		content, err := mcp.ParseSamplingContent(reply.Content)
		if err != nil {
			return nil, err
		}
		return &mcp.CallToolResult{Content: []mcp.Content{content.(mcp.Content)}}, nil
	})
	f.tool("test_input_required_result_list_roots", "Asks for the client's roots.", func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		reply := server.RootsResponse(r.Params.InputResponses, "client_roots")
		if reply == nil {
			return server.NewInputRequestBuilder("").Roots("client_roots").ToolResult(), nil
		}
		return replyf("Roots: %v", reply.Roots)
	})
	f.tool("test_input_required_result_request_state", "Asks for a confirmation and recognizes its own state.", confirmed)
	f.tool("test_input_required_result_tampered_state", "Asks for a confirmation and recognizes its own state.", confirmed)
	f.tool("test_input_required_result_multiple_inputs", "Asks for three things at once.", func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		in := r.Params.InputResponses
		name, ok := accepted[string](in, "user_name", "name")
		greeting, roots := server.SamplingResponse(in, "greeting"), server.RootsResponse(in, "client_roots")
		if !ok || greeting == nil || roots == nil {
			return server.NewInputRequestBuilder(sealed("three")).Elicit("user_name", askName).
				Sample("greeting", sampling("Generate a greeting", 50)).Roots("client_roots").ToolResult(), nil
		}
		if _, err := opened(r.Params.RequestState); err != nil {
			return nil, err
		}
		return replyf("%s has %d roots.", name, len(roots.Roots))
	})
	f.tool("test_input_required_result_multi_round", "Asks twice.", func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		state := ""
		if r.Params.RequestState != "" {
			var err error
			if state, err = opened(r.Params.RequestState); err != nil {
				return nil, err
			}
		}
		if name, ok := accepted[string](r.Params.InputResponses, "step1", "name"); ok && state == "first" {
			question := form("Step 2: What is your favorite color?", `{"color": {"type": "string"}}`, "color")
			return server.NewInputRequestBuilder(sealed("second "+hex.EncodeToString([]byte(name)))).Elicit("step2", question).ToolResult(), nil
		}
		if color, ok := accepted[string](r.Params.InputResponses, "step2", "color"); ok && strings.HasPrefix(state, "second ") {
			name, err := hex.DecodeString(strings.TrimPrefix(state, "second "))
			if err != nil {
				return nil, errState
			}
			return replyf("%s likes %s.", name, color)
		}
		question := form("Step 1: What is your name?", `{"name": {"type": "string"}}`, "name")
		return server.NewInputRequestBuilder(sealed("first")).Elicit("step1", question).ToolResult(), nil
	})
	f.tool("test_input_required_result_capabilities", "Asks for what the client can answer.", func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if len(r.Params.InputResponses) > 0 {
			return replyf("Answered.")
		}
		declared := server.RequestProtocolInfoFromContext(ctx).ClientCapabilities
		b, asks := server.NewInputRequestBuilder(""), false
		if declared != nil && declared.Elicitation != nil {
			b, asks = b.Elicit("user_name", askName), true
		}
		if declared != nil && declared.Sampling != nil {
			b, asks = b.Sample("greeting", sampling("Generate a greeting", 50)), true
		}
		if !asks {
			return replyf("The client can answer nothing.")
		}
		return b.ToolResult(), nil
	})
}

func greet(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	name, ok := accepted[string](r.Params.InputResponses, "user_name", "name")
	if !ok {
		return server.NewInputRequestBuilder("").Elicit("user_name", askName).ToolResult(), nil
	}
	return replyf("Hello, %s!", name)
}

func confirmed(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	if r.Params.RequestState != "" {
		if _, err := opened(r.Params.RequestState); err != nil {
			return nil, err
		}
		if yes, ok := accepted[bool](r.Params.InputResponses, "confirm", "ok"); ok {
			return replyf("state-ok, confirmed: %t", yes)
		}
	}
	return server.NewInputRequestBuilder(sealed("confirm")).Elicit("confirm", askConfirm).ToolResult(), nil
}
