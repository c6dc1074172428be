package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// One pixel, and a sound without samples.
const (
	pixel   = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
	silence = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
)

type handler = server.ToolHandlerFunc

// tool adds a tool; options are mcp-go's.
func (f fixtures) tool(name, description string, h handler, options ...mcp.ToolOption) {
	f.mcp.AddTool(mcp.NewTool(name, append(options, mcp.WithDescription(description))...), h)
}

// answers is a tool that always says the same.
func answers(content ...mcp.Content) handler {
	return func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{Content: content}, nil
	}
}

func embedded(uri, mimeType, text string) mcp.Content {
	return mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: uri, MIMEType: mimeType, Text: text})
}

// addContent adds the tools that only answer.
func (f fixtures) addContent() {
	f.tool("test_simple_text", "Answers with text.", answers(mcp.NewTextContent("This is a simple text response for testing.")))
	f.tool("test_image_content", "Answers with an image.", answers(mcp.NewImageContent(pixel, "image/png")))
	f.tool("test_audio_content", "Answers with a sound.", answers(mcp.NewAudioContent(silence, "audio/wav")))
	f.tool("test_embedded_resource", "Answers with a resource.",
		answers(embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")))
	f.tool("test_multiple_content_types", "Answers with text, an image and a resource.", answers(
		mcp.NewTextContent("Multiple content types test:"),
		mcp.NewImageContent(pixel, "image/png"),
		embedded("test://mixed-content-resource", "application/json", `{"test":"data","value":123}`)))
	f.tool("test_error_handling", "Always fails.", func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultError("This tool intentionally returns an error for testing"), nil
	})
	f.tool("test_missing_capability", "Needs a client that can sample.", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if declared := server.RequestProtocolInfoFromContext(ctx).ClientCapabilities; declared == nil || declared.Sampling == nil {
			return nil, mcp.MissingRequiredClientCapabilityError{Capability: "sampling"}
		}
		return mcp.NewToolResultText("The client can sample."), nil
	})
	f.tool("test_x_mcp_header", "Takes an argument that is sent as a header too.", func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		region, err := r.RequireString("region")
		if err != nil {
			return mcp.NewToolResultError(err.Error()), nil
		}
		return mcp.NewToolResultText(region), nil
	}, mcp.WithString("region", mcp.Required(), func(schema map[string]any) { schema["x-mcp-header"] = "Region" }))
	f.mcp.AddTool(mcp.NewToolWithRawSchema("json_schema_2020_12_tool", "Takes arguments that are described with much of JSON Schema 2020-12.",
		json.RawMessage(manyKeywords)), answers(mcp.NewTextContent("Fits.")))
	f.tool("test_trigger_tool_change", "Changes the list of tools.", func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		f.tool("test_passing", "Comes and goes.", answers(mcp.NewTextContent("Here.")))
		f.mcp.DeleteTools("test_passing")
		return mcp.NewToolResultText("The tools have changed."), nil
	})
	f.tool("test_trigger_prompt_change", "Changes the list of prompts.", func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		f.mcp.AddPrompt(mcp.NewPrompt("test_passing", mcp.WithPromptDescription("Comes and goes.")), says(mcp.NewTextContent("Here.")))
		f.mcp.DeletePrompts("test_passing")
		return mcp.NewToolResultText("The prompts have changed."), nil
	})
}

const manyKeywords = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"type": "object",
	"$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
	"properties": {
		"name": {"type": "string"},
		"address": {"$ref": "#/$defs/address"},
		"contactMethod": {"type": "string", "enum": ["phone", "email"]},
		"phone": {"type": "string"},
		"email": {"type": "string"}
	},
	"allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
	"if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
	"then": {"required": ["phone"]},
	"else": {"required": ["email"]},
	"additionalProperties": false
}`

// addResources adds the resources that the suite reads and watches.
func (f fixtures) addResources() {
	text := func(uri, mimeType, content string) []mcp.ResourceContents {
		return []mcp.ResourceContents{mcp.TextResourceContents{URI: uri, MIMEType: mimeType, Text: content}}
	}
	f.mcp.AddResource(mcp.NewResource("test://static-text", "static-text", mcp.WithResourceDescription("A text."), mcp.WithMIMEType("text/plain")),
		func(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			return text(r.Params.URI, "text/plain", "This is the content of the static text resource."), nil
		})
	f.mcp.AddResource(mcp.NewResource("test://static-binary", "static-binary", mcp.WithResourceDescription("An image."), mcp.WithMIMEType("image/png")),
		func(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			return []mcp.ResourceContents{mcp.BlobResourceContents{URI: r.Params.URI, MIMEType: "image/png", Blob: pixel}}, nil
		})
	f.mcp.AddResource(mcp.NewResource("test://watched-resource", "watched-resource", mcp.WithResourceDescription("A text to subscribe to."), mcp.WithMIMEType("text/plain")),
		func(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			return text(r.Params.URI, "text/plain", "Unchanged."), nil
		})
	f.mcp.AddResourceTemplate(mcp.NewResourceTemplate("test://template/{id}/data", "template", mcp.WithTemplateDescription("Data by id."), mcp.WithTemplateMIMEType("application/json")),
		func(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			ids, _ := r.Params.Arguments["id"].([]string)
			if len(ids) != 1 {
				return nil, errors.New("the URI has no id")
			}
			data, err := json.Marshal(map[string]any{"id": ids[0], "templateTest": true, "data": "Data for ID: " + ids[0]})
			return text(r.Params.URI, "application/json", string(data)), err
		})
}
