package ldclient

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// ExpiringTarget is an individually targeted context that leaves its flag variation or segment at a set time.
type ExpiringTarget struct {
	ID          string `json:"_id"`
	Version     int    `json:"_version"`
	Expires     Millis `json:"expirationDate"`
	ContextKind string `json:"contextKind"`
	ContextKey  string `json:"contextKey"`
	VariationID string `json:"variationId"` // of a flag
	TargetType  string `json:"targetType"`  // of a segment: included or excluded
}

// instruction names the context, and the variation or list that it leaves.
func (t ExpiringTarget) instruction(kind string) Instruction {
	i := Instruction{"kind": kind, "contextKey": t.ContextKey, "contextKind": t.ContextKind}
	if t.VariationID != "" {
		i["variationId"] = t.VariationID
	}
	if t.TargetType != "" {
		i["targetType"] = t.TargetType
	}
	if kind != "removeExpiringTarget" {
		i["value"] = int64(t.Expires)
	}
	return i
}

// AddExpiringTarget lets an individually targeted context expire.
func AddExpiringTarget(t ExpiringTarget) Instruction { return t.instruction("addExpiringTarget") }

// UpdateExpiringTarget sets another time; with a version it fails if the target has another one by then.
func UpdateExpiringTarget(t ExpiringTarget) Instruction {
	i := t.instruction("updateExpiringTarget")
	if t.Version > 0 {
		i["version"] = t.Version
	}
	return i
}

// RemoveExpiringTarget lets a context stay targeted.
func RemoveExpiringTarget(t ExpiringTarget) Instruction {
	return t.instruction("removeExpiringTarget")
}

type expiringTargets struct {
	Items  []ExpiringTarget `json:"items"`
	Failed int              `json:"failedInstructions"`
	Errors []struct {
		Index   int    `json:"instructionIndex"`
		Message string `json:"message"`
	} `json:"errors"`
}

func getExpiring(ctx context.Context, c *Client, at Target, p apiPath) ([]ExpiringTarget, error) {
	got, err := get[expiringTargets](ctx, c, at, p, nil)
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}

// patchExpiring sends instructions on expiring targets. LaunchDarkly answers
// 200 to ones that it did not carry out; here they are an error. There is no dry run.
func patchExpiring(ctx context.Context, c *Client, at Target, p apiPath, comment string, instructions []Instruction) ([]ExpiringTarget, error) {
	got, err := do[expiringTargets](ctx, c, call{method: http.MethodPatch, at: at, path: p,
		body: Patch{Comment: comment, Instructions: instructions}.body(""), contentType: semanticPatch, writes: true})
	if err != nil {
		return nil, err
	}
	if len(got.Errors) == 0 && got.Failed == 0 {
		return got.Items, nil
	}
	var says []string
	for _, e := range got.Errors {
		says = append(says, c.mask(e.Message))
	}
	return nil, &Error{Method: http.MethodPatch, Path: p.escaped, Status: http.StatusBadRequest, Code: "invalid_request",
		Message: fmt.Sprintf("%d of %d instructions failed: %s", max(got.Failed, len(got.Errors)), len(instructions), strings.Join(says, "; "))}
}

// ExpiringTargets returns a flag's targets in one environment that expire.
func (s *FlagsService) ExpiringTargets(ctx context.Context, project, environment, key string) ([]ExpiringTarget, error) {
	return getExpiring(ctx, s.c, flagAt(project, environment, key), path("flags", project, key, "expiring-targets", environment))
}

// PatchExpiringTargets changes which of a flag's targets expire, and returns those that do afterwards.
func (s *FlagsService) PatchExpiringTargets(ctx context.Context, project, environment, key, comment string, instructions ...Instruction) ([]ExpiringTarget, error) {
	return patchExpiring(ctx, s.c, flagAt(project, environment, key), path("flags", project, key, "expiring-targets", environment), comment, instructions)
}
