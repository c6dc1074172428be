package tools

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// FuzzEdits: carrying out the steps of edits makes of what was there what the edits say is there after them. Steps are made
// only for what differs, each is said in words, none holds a null, and tags that somebody changed meanwhile are not overwritten.
func FuzzEdits(f *testing.F) {
	f.Add("Shop", "Shop", "a b", "b a", byte(0))
	f.Add("Shop", "Store", "", "x", byte(0b010101))
	f.Add("Shop", " ", "a", "", byte(0b111111))
	f.Add("", "~/\u0000", "A a", "a", byte(0b001011))
	f.Add("x", `{"op":"remove"}`, "a.b _c", "a.b _c d é", byte(0b100111))
	f.Fuzz(func(t *testing.T, name, newName, tags, newTags string, bits byte) {
		name, newName = strings.ToValidUTF8(name, "?"), strings.ToValidUTF8(newName, "?")
		type settings struct {
			Name     string   `json:"name"`
			Tags     []string `json:"tags"`
			Confirm  bool     `json:"confirmChanges"`
			Critical bool     `json:"critical"`
		}
		have, err := checkedTags(strings.Fields(tags))
		if err != nil {
			return // LaunchDarkly has no such tags
		}
		was := settings{name, have, bits&1 != 0, bits&2 != 0}
		is := was
		is.Tags = slices.Clone(was.Tags)
		var e edits
		given := func(bit byte) *bool {
			if bits&bit == 0 {
				return nil
			}
			v := bits&(bit<<2) != 0
			return &v
		}
		confirm, critical := given(4), given(8)
		e.protection("confirmChanges", &is.Confirm, confirm, "nobody is asked")
		e.protection("critical", &is.Critical, critical, "it is as any other")
		var wantName *string
		var wantTags *[]string
		if bits&64 == 0 {
			wantName = &newName
		}
		if list := strings.Fields(newTags); bits&128 == 0 {
			wantTags = &list
		}
		if err := e.nameAndTags(&is.Name, wantName, &is.Tags, wantTags); err != nil {
			if clean(newName) != "" && !slices.ContainsFunc(strings.Fields(newTags), func(s string) bool { return !validTag().MatchString(s) }) {
				t.Fatalf("%q and %q are refused: %v", newName, newTags, err)
			}
			return
		}
		sets := 0
		for _, step := range e.steps {
			if step.Value == nil || step.Op != "replace" && step.Op != "test" {
				t.Fatalf("%+v", step)
			}
			if step.Op == "replace" {
				sets++
			}
		}
		if sets != len(e.says) || slices.Contains(e.says, "") {
			t.Fatalf("%d steps are said as %q", sets, e.says)
		}
		if same := string(mustJSON(was)) == string(mustJSON(is)); same != (sets == 0) {
			t.Fatalf("%+v became %+v in %d steps", was, is, sets)
		}
		for pointer, wanted := range map[*bool]bool{confirm: is.Confirm, critical: is.Critical} {
			if pointer != nil && *pointer != wanted {
				t.Fatalf("%+v is not what was asked for", is)
			}
		}
		if wantName != nil && is.Name != newName {
			t.Fatalf("the name is %q, want %q", is.Name, newName)
		}
		var got settings
		if err := json.Unmarshal(carriedOut(t, e.steps, mustJSON(was)), &got); err != nil {
			t.Fatal(err)
		}
		if string(mustJSON(got)) != string(mustJSON(is)) {
			t.Fatalf("the steps %s make %+v, want %+v", mustJSON(e.steps), got, is)
		}
		other := was
		other.Tags = append(slices.Clone(was.Tags), "meanwhile")
		changesTags := slices.ContainsFunc(e.steps, func(s ldclient.Operation) bool { return s.Path == "/tags" })
		if p, err := jsonPatchOf(e.steps); err != nil {
			t.Fatal(err)
		} else if _, err := p.Apply(mustJSON(other)); (err != nil) != (changesTags && len(was.Tags) > 0) {
			t.Fatalf("the steps %s on tags that were changed meanwhile: %v", mustJSON(e.steps), err)
		}
	})
}

func jsonPatchOf(steps []ldclient.Operation) (jsonpatch.Patch, error) {
	if len(steps) == 0 {
		return jsonpatch.Patch{}, nil
	}
	return jsonpatch.DecodePatch(mustJSON(steps))
}

func carriedOut(t *testing.T, steps []ldclient.Operation, doc []byte) []byte {
	t.Helper()
	p, err := jsonPatchOf(steps)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Apply(doc)
	if err != nil {
		t.Fatalf("%s: %v", mustJSON(steps), err)
	}
	return out
}
