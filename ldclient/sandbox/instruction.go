package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// apiError is a refusal in the API's terms.
type apiError struct {
	status        int
	code, message string
}

func (e *apiError) Error() string { return e.message }

func refuse(w http.ResponseWriter, e *apiError) { fail(w, e.status, e.code, e.message) }

func invalid(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "invalid_request", fmt.Sprintf(format, args...)}
}

func invalidPatch(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "invalid_patch", fmt.Sprintf(format, args...)}
}

func conflict(format string, args ...any) *apiError {
	return &apiError{http.StatusConflict, "conflict", fmt.Sprintf(format, args...)}
}

// instruction is one step of a semantic patch, as it stands in the body.
type instruction map[string]any

// UnmarshalJSON keeps the values as they were written, so that object keys keep their order.
func (in *instruction) UnmarshalJSON(b []byte) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	*in = make(instruction, len(m))
	for k, v := range m {
		(*in)[k] = v
	}
	return nil
}

// params are the parameters of every instruction kind.
type params struct {
	Kind string `json:"kind"`

	Value       json.RawMessage   `json:"value"`
	Values      []json.RawMessage `json:"values"`
	Key         string            `json:"key"`
	Name        *string           `json:"name"`
	Description *string           `json:"description"`
	ContextKind string            `json:"contextKind"`

	RuleID       string            `json:"ruleId"`
	RuleIDs      []string          `json:"ruleIds"`
	BeforeRuleID string            `json:"beforeRuleId"`
	Ref          string            `json:"ref"`
	Rules        []json.RawMessage `json:"rules"`
	Clause       *clause           `json:"clause"`
	Clauses      []clause          `json:"clauses"`
	ClauseID     string            `json:"clauseId"`
	ClauseIDs    []string          `json:"clauseIds"`
	TrackEvents  *bool             `json:"trackEvents"`

	VariationID        string         `json:"variationId"`
	RolloutWeights     map[string]int `json:"rolloutWeights"`
	RolloutBucketBy    string         `json:"rolloutBucketBy"`
	RolloutContextKind string         `json:"rolloutContextKind"`

	Targets           []targetParams       `json:"targets"`
	Prerequisites     []prerequisiteParams `json:"prerequisites"`
	OnVariationValue  json.RawMessage      `json:"onVariationValue"`
	OffVariationValue json.RawMessage      `json:"offVariationValue"`

	Weight   *int   `json:"weight"`
	BucketBy string `json:"bucketBy"`
	ImportID string `json:"importId"`

	releaseParams
	experimentParams
}

type targetParams struct {
	ContextKind string   `json:"contextKind"`
	VariationID string   `json:"variationId"`
	Values      []string `json:"values"`
}

type prerequisiteParams struct {
	Key         string `json:"key"`
	VariationID string `json:"variationId"`
}

func (in instruction) params() (params, *apiError) {
	var out params
	b, err := json.Marshal(in)
	if err != nil {
		return out, invalid("invalid instruction: %v", err)
	}
	return out, decodeParams(b, &out)
}

func decodeParams(b []byte, into *params) *apiError {
	err := json.Unmarshal(b, into)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return invalid("instruction kind '%s': %s must not be a %s", into.Kind, wrong.Field, wrong.Value)
	}
	if err != nil {
		return invalid("invalid instruction: %v", err)
	}
	return nil
}

// texts are the instruction's values where only strings will do.
func (in params) texts() ([]string, *apiError) {
	if len(in.Values) == 0 {
		return nil, in.missing("values")
	}
	out := make([]string, len(in.Values))
	for i, v := range in.Values {
		if json.Unmarshal(v, &out[i]) != nil || out[i] == "" {
			return nil, invalid("instruction kind '%s': values must be non-empty strings", in.Kind)
		}
	}
	return out, nil
}

// text is the instruction's value where only a string will do.
func (in params) text() (string, *apiError) {
	if in.Value == nil {
		return "", in.missing("value")
	}
	var s *string
	if json.Unmarshal(in.Value, &s) != nil || s == nil {
		return "", invalid("instruction kind '%s': value must be a string", in.Kind)
	}
	return *s, nil
}

func (in params) missing(name string) *apiError {
	return invalid("instruction kind '%s' requires the parameter %s", in.Kind, name)
}

// patchBody is the body of a PATCH request in any of the three formats.
type patchBody struct {
	Semantic       bool            `json:"-"`
	Comment        string          `json:"comment"`
	EnvironmentKey string          `json:"environmentKey"`
	Instructions   []instruction   `json:"instructions"`
	Patch          json.RawMessage `json:"patch"`
	Merge          json.RawMessage `json:"merge"`
}

func readPatch(r *http.Request) (patchBody, *apiError) {
	var b patchBody
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return b, invalid("could not read the request body: %v", err)
	}
	raw = bytes.TrimSpace(raw)
	_, media, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if b.Semantic = strings.EqualFold(media["domain-model"], "launchdarkly.semanticpatch"); b.Semantic {
		if err := json.Unmarshal(raw, &b); err != nil {
			return b, invalid("invalid semantic patch: %v", err)
		}
		if len(b.Instructions) == 0 {
			return b, invalid("instructions must contain at least one instruction")
		}
		return b, nil
	}
	if len(raw) > 0 && raw[0] == '[' {
		b.Patch = raw
		return b, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return b, invalidPatch("invalid JSON patch: %v", err)
	}
	_, patch := fields["patch"]
	_, merge := fields["merge"]
	if _, semantic := fields["instructions"]; semantic {
		return b, invalidPatch("invalid JSON patch: for a semantic patch add domain-model=launchdarkly.semanticpatch to the Content-Type header")
	}
	if fields == nil {
		return b, invalidPatch("invalid JSON patch: expected an object or an array")
	}
	if !patch && !merge {
		b.Merge = raw
		return b, nil
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return b, invalidPatch("invalid JSON patch: %v", err)
	}
	return b, nil
}
