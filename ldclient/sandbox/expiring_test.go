package sandbox

import (
	"testing"
	"time"
)

func TestExpiringTargets(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	now := labTime
	l.a.now = func() time.Time { return now }
	in := func(d time.Duration) int64 { return labTime.Add(d).UnixMilli() }
	l.patch("color", "test", annTarget)
	targeted := l.flag("color").Environments["test"].Targets[0]
	variation := l.flag("color").Variations[targeted.Variation].ID
	const path = "/flags/lab/color/expiring-targets/test"
	edit := func(kind, key string, value int64, more ...any) any {
		t.Helper()
		i := instruction{"kind": kind, "contextKey": key, "contextKind": "user", "variationId": variation}
		if value != 0 {
			i["value"] = value
		}
		for n := 0; n < len(more); n += 2 {
			i[more[n].(string)] = more[n+1]
		}
		return l.ask(200, "PATCH", path, semantic, semanticBody("", i))
	}
	failed := func(message string) map[string]string {
		return map[string]string{"failedInstructions": "1", "successfulInstructions": "0", "errors.0.message": message}
	}
	entries := len(l.a.audit)
	l.expect(edit("addExpiringTarget", "bob", in(time.Hour)), failed(`"user 'bob' is not individually targeted there"`))
	l.expect(edit("addExpiringTarget", "ann", in(-time.Hour)), failed(`"value must be a time in the future, in Unix milliseconds"`))
	l.expect(edit("addExpiringTarget", "ann", in(time.Hour)/1000), failed(`"value must be a time in the future, in Unix milliseconds"`))
	l.expect(edit("updateExpiringTarget", "ann", in(time.Hour)), failed(`"user 'ann' has no expiration date"`))
	l.expect(edit("removeExpiringTarget", "ann", 0), failed(`"user 'ann' has no expiration date"`))
	if len(l.a.audit) != entries {
		t.Error("what failed stands in the audit log")
	}
	l.expect(edit("addExpiringTarget", "ann", in(time.Hour)), map[string]string{"items.0.contextKey": `"ann"`, "items.0._version": "1", "failedInstructions": "0"})
	l.expect(edit("addExpiringTarget", "ann", in(time.Hour)), failed(`"user 'ann' has an expiration date already"`))
	l.expect(edit("updateExpiringTarget", "ann", in(2*time.Hour), "version", 7), failed(`"the expiring target's version is 1, not 7"`))
	l.expect(edit("updateExpiringTarget", "ann", in(2*time.Hour), "version", 1), map[string]string{"items.0._version": "2"})
	l.ask(400, "PATCH", path, plain, []any{})
	l.ask(404, "GET", "/flags/lab/color/expiring-targets/nowhere", "", nil)

	now = labTime.Add(2*time.Hour - time.Second)
	l.expect(l.get("/flags/lab/color"), map[string]string{"environments.test.targets.0.values": `["ann"]`})
	version := l.flag("color").Environments["test"].Version
	now = labTime.Add(2 * time.Hour)
	l.expect(l.get("/flags/lab/color"), map[string]string{"environments.test.targets": "[]"})
	if c := l.flag("color").Environments["test"]; c.Version != version+1 {
		t.Errorf("version %d, want %d", c.Version, version+1)
	}
	if entry := l.a.audit[len(l.a.audit)-1]; entry.Resource != "proj/lab:env/test:flag/color" || entry.Member != nil {
		t.Errorf("the audit entry is %+v", entry.change)
	}
	l.get("/auditlog?limit=1")
	l.expect(l.get(path), map[string]string{"items": "[]"})

	// A target that is gone expires no more.
	l.patch("color", "test", annTarget)
	edit("addExpiringTarget", "ann", in(5*time.Hour))
	l.patch("color", "test", instruction{"kind": "clearTargets", "variationId": variation})
	l.expect(l.get(path), map[string]string{"items": "[]"})
}
