package ldclient

import (
	"context"
	"net/http"
)

// Operation is one step of a JSON Patch, which LaunchDarkly wants for resources without a semantic patch.
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// Replace sets a field, named by its JSON Pointer.
func Replace(path string, value any) Operation { return Operation{"replace", path, value} }

// Expect fails the whole patch where a field is no longer what it was.
func Expect(path string, value any) Operation { return Operation{"test", path, value} }

// patchJSON sends a JSON Patch.
func patchJSON[T any](ctx context.Context, c *Client, at Target, p apiPath, steps []Operation) (*T, error) {
	return do[T](ctx, c, call{method: http.MethodPatch, at: at, path: p, body: steps, contentType: jsonType, writes: true})
}

// gone is the answer to a DELETE: none, or one that says nothing.
type gone struct{}

// erase deletes a resource for good.
func erase(ctx context.Context, c *Client, at Target, p apiPath) error {
	_, err := do[gone](ctx, c, call{method: http.MethodDelete, at: at, path: p, writes: true})
	return err
}
