package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// pause follows each notification. The suite asks for it between two; mcp-go
// needs one after the last too, since it drops what it has not yet written to
// the stream when the call ends.
const pause = 50 * time.Millisecond

// addStreaming adds the tools that tell how far they are.
func (f fixtures) addStreaming() {
	f.tool("test_tool_with_logging", "Logs three messages.", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for _, message := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
			if err := f.log(ctx, message); err != nil {
				return nil, err
			}
			time.Sleep(pause)
		}
		return mcp.NewToolResultText("Logged."), nil
	})
	f.tool("test_logging_tool", "Logs one message.", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if err := f.log(ctx, "Logged"); err != nil {
			return nil, err
		}
		return mcp.NewToolResultText("Logged if that was asked for."), nil
	})
	f.tool("test_tool_with_progress", "Tells its progress three times.", func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for _, progress := range []int{0, 50, 100} {
			if meta := r.Params.Meta; meta != nil && meta.ProgressToken != nil {
				err := f.mcp.SendNotificationToClient(ctx, string(mcp.MethodNotificationProgress), map[string]any{
					"progressToken": meta.ProgressToken, "progress": progress, "total": 100,
				})
				if err != nil {
					return nil, err
				}
			}
			time.Sleep(pause)
		}
		return mcp.NewToolResultText("Done."), nil
	})
}

func (f fixtures) log(ctx context.Context, message string) error {
	return f.mcp.SendLogMessageToClient(ctx, mcp.NewLoggingMessageNotification(mcp.LoggingLevelInfo, "conformance", message))
}

// addAsking adds the tools that put a request to the client while they run, as before 2026-07-28.
func (f fixtures) addAsking() {
	f.tool("test_sampling", "Has the client sample.", func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		reply, err := f.mcp.RequestSampling(ctx, mcp.CreateMessageRequest{CreateMessageParams: sampling(r.GetString("prompt", ""), 100)})
		if err != nil {
			return mcp.NewToolResultErrorFromErr("the client did not sample", err), nil
		}
		text, ok := reply.Content.(mcp.TextContent)
		if !ok {
			return mcp.NewToolResultErrorf("the client sampled %T instead of text", reply.Content), nil
		}
		return mcp.NewToolResultText("LLM response: " + text.Text), nil
	}, mcp.WithString("prompt", mcp.Required()))
	f.tool("test_elicitation", "Asks for a name and an address.", func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return f.elicit(ctx, "User response", form(r.GetString("message", ""), `{
			"username": {"type": "string", "description": "User's response"},
			"email": {"type": "string", "description": "User's email address"}
		}`, "username", "email"))
	}, mcp.WithString("message", mcp.Required()))
	f.tool("test_elicitation_sep1034_defaults", "Asks with a default in every field.", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return f.elicit(ctx, "Elicitation completed", form("Check what is filled in.", `{
			"name": {"type": "string", "default": "John Doe"},
			"age": {"type": "integer", "default": 30},
			"score": {"type": "number", "default": 95.5},
			"status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
			"verified": {"type": "boolean", "default": true}
		}`))
	})
	f.tool("test_elicitation_sep1330_enums", "Asks with every kind of choice.", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return f.elicit(ctx, "Elicitation completed", form("Choose.", `{
			"untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
			"titledSingle": {"type": "string", "oneOf": [{"const": "value1", "title": "First Option"}, {"const": "value2", "title": "Second Option"}, {"const": "value3", "title": "Third Option"}]},
			"legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]},
			"untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
			"titledMulti": {"type": "array", "items": {"anyOf": [{"const": "value1", "title": "First Choice"}, {"const": "value2", "title": "Second Choice"}, {"const": "value3", "title": "Third Choice"}]}}
		}`))
	})
}

func (f fixtures) elicit(ctx context.Context, said string, question mcp.ElicitationParams) (*mcp.CallToolResult, error) {
	reply, err := f.mcp.RequestElicitation(ctx, mcp.ElicitationRequest{Params: question})
	if err != nil {
		return mcp.NewToolResultErrorFromErr("the client was not asked", err), nil
	}
	content, err := json.Marshal(reply.Content)
	if err != nil {
		return nil, err
	}
	return mcp.NewToolResultText(fmt.Sprintf("%s: action=%s, content=%s", said, reply.Action, content)), nil
}

// form is a question with fields.
func form(message, properties string, required ...string) mcp.ElicitationParams {
	schema := map[string]any{"type": "object", "properties": json.RawMessage(properties)}
	if len(required) > 0 {
		schema["required"] = required
	}
	return mcp.ElicitationParams{Message: message, RequestedSchema: schema}
}

func sampling(prompt string, maxTokens int) mcp.CreateMessageParams {
	return mcp.CreateMessageParams{
		Messages:  []mcp.SamplingMessage{{Role: mcp.RoleUser, Content: mcp.NewTextContent(prompt)}},
		MaxTokens: maxTokens,
	}
}
