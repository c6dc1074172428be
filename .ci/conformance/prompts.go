package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// messages is a prompt's answer: one message of a user for each content.
func messages(content ...mcp.Content) *mcp.GetPromptResult {
	var all []mcp.PromptMessage
	for _, c := range content {
		all = append(all, mcp.NewPromptMessage(mcp.RoleUser, c))
	}
	return mcp.NewGetPromptResult("", all)
}

// says is a prompt that always answers the same.
func says(content ...mcp.Content) server.PromptHandlerFunc {
	return func(context.Context, mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return messages(content...), nil
	}
}

func (f fixtures) addPrompts() {
	f.mcp.AddPrompt(mcp.NewPrompt("test_simple_prompt", mcp.WithPromptDescription("Takes no arguments.")),
		says(mcp.NewTextContent("This is a simple prompt for testing.")))
	f.mcp.AddPrompt(mcp.NewPrompt("test_prompt_with_arguments", mcp.WithPromptDescription("Takes two arguments."),
		mcp.WithArgument("arg1", mcp.RequiredArgument(), mcp.ArgumentDescription("First test argument")),
		mcp.WithArgument("arg2", mcp.RequiredArgument(), mcp.ArgumentDescription("Second test argument"))),
		func(_ context.Context, r mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			in := r.Params.Arguments
			return messages(mcp.NewTextContent(fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", in["arg1"], in["arg2"]))), nil
		})
	f.mcp.AddPrompt(mcp.NewPrompt("test_prompt_with_embedded_resource", mcp.WithPromptDescription("Takes a resource in."),
		mcp.WithArgument("resourceUri", mcp.RequiredArgument(), mcp.ArgumentDescription("URI of the resource to embed"))),
		func(_ context.Context, r mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return messages(embedded(r.Params.Arguments["resourceUri"], "text/plain", "Embedded resource content for testing."),
				mcp.NewTextContent("Please process the embedded resource above.")), nil
		})
	f.mcp.AddPrompt(mcp.NewPrompt("test_prompt_with_image", mcp.WithPromptDescription("Shows an image.")),
		says(mcp.NewImageContent(pixel, "image/png"), mcp.NewTextContent("Please analyze the image above.")))
	f.mcp.AddPrompt(mcp.NewPrompt("test_input_required_result_prompt", mcp.WithPromptDescription("Asks for its context.")),
		func(_ context.Context, r mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			about, ok := accepted[string](r.Params.InputResponses, "user_context", "context")
			if !ok {
				question := form("What context should the prompt use?", `{"context": {"type": "string"}}`, "context")
				return server.NewInputRequestBuilder("").Elicit("user_context", question).PromptResult(), nil
			}
			return messages(mcp.NewTextContent("Use this context: " + about)), nil
		})
}

// completer completes the arguments of prompts.
type completer struct{}

func (completer) CompletePromptArgument(_ context.Context, _ string, a mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	found := []string{}
	for _, value := range []string{"paris", "park", "party", "test", "testing"} {
		if strings.HasPrefix(value, a.Value) {
			found = append(found, value)
		}
	}
	return &mcp.Completion{Values: found, Total: len(found)}, nil
}
