package ldclient_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// lagging is a client of an account in which changes of AI configs show after so many reads.
func lagging(t *testing.T, reads int) (*sandbox.Account, *ldclient.Client) {
	t.Helper()
	a := sandbox.New(sandbox.Options{})
	c, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: a, Cache: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	a.LagAIConfigs(reads)
	return a, c
}

func reads(a *sandbox.Account) int {
	n := 0
	for _, r := range a.Requests() {
		if r.Method == http.MethodGet {
			n++
		}
	}
	return n
}

// TestAIConfigsSettle: a write returns once LaunchDarkly shows it, and the next read shows it at once.
func TestAIConfigsSettle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, c := lagging(t, 3)
		ctx := t.Context()
		begin := time.Now()
		got, err := c.AIConfigs.UpdateVariation(ctx, "shop", "product-summary", "short", ldclient.AIVariationFields{Name: "Shorter"})
		if err != nil || got.Behind != "" || got.Version != 3 || reads(a) != 4 {
			t.Fatalf("%+v, %v, %d reads", got, err, reads(a))
		}
		if waited := time.Since(begin); waited < time.Second || waited > 5*time.Second {
			t.Errorf("waited %v", waited)
		}
		config, err := c.AIConfigs.Get(ctx, "shop", "product-summary")
		if err != nil || config.Behind != "" || config.Variations[0].Name != "Shorter" {
			t.Errorf("%+v, %v", config, err)
		}
	})
}

// TestAIConfigsStayBehind: what is not shown in time is said, in the reply to the write and in later reads for half a minute.
func TestAIConfigsStayBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := lagging(t, 1000)
		ctx := t.Context()
		begin := time.Now()
		got, err := c.AIConfigs.UpdateVariation(ctx, "shop", "product-summary", "short", ldclient.AIVariationFields{Name: "Shorter"})
		if err != nil || got.Behind != "version 3 of variation short was written, and version 2 is shown" || got.Name != "Shorter" {
			t.Fatalf("%+v, %v", got, err)
		}
		if waited := time.Since(begin); waited > 6*time.Second {
			t.Errorf("waited %v", waited)
		}
		config, err := c.AIConfigs.Get(ctx, "shop", "product-summary")
		if err != nil || config.Behind == "" || config.Variations[0].Name != "Short" {
			t.Errorf("%+v, %v", config, err)
		}
		for _, other := range []string{"shopping-agent", "accuracy-judge"} {
			begin := time.Now()
			if config, err := c.AIConfigs.Get(ctx, "shop", other); err != nil || config.Behind != "" || time.Since(begin) > 0 {
				t.Errorf("%s: %+v, %v", other, config, err)
			}
		}
		time.Sleep(31 * time.Second)
		begin = time.Now()
		if config, err := c.AIConfigs.Get(ctx, "shop", "product-summary"); err != nil || config.Behind != "" || time.Since(begin) > 0 {
			t.Errorf("half a minute later: %+v, %v, after %v", config, err, time.Since(begin))
		}
	})
}

// TestAIConfigsKeepDeadlines: nobody waits longer than they may, and the write is not reported as failed.
func TestAIConfigsKeepDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := lagging(t, 1000)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		begin := time.Now()
		got, err := c.AIConfigs.CreateVariation(ctx, "shop", "product-summary", ldclient.AIVariationFields{Key: "new", Name: "New"})
		if err != nil || got.Behind != "variation new was written and is not shown yet" || time.Since(begin) > 2*time.Second {
			t.Errorf("%+v, %v, after %v", got, err, time.Since(begin))
		}
	})
}

// TestAIConfigsBehind: each kind of write is waited for, and none for another's.
func TestAIConfigsBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := lagging(t, 2)
		ctx := t.Context()
		name := "Other"
		if got, err := c.AIConfigs.Update(ctx, "shop", "shopping-agent", ldclient.AIConfigFields{Name: &name}); err != nil || got.Behind != "" {
			t.Errorf("update: %+v, %v", got, err)
		}
		if err := c.AIConfigs.DeleteVariation(ctx, "shop", "shopping-agent", "concise"); err != nil {
			t.Error(err)
		}
		if got, err := c.AIConfigs.Get(ctx, "shop", "shopping-agent"); err != nil || got.Behind != "" || len(got.Variations) != 1 || got.Name != "Other" {
			t.Errorf("after a deletion: %+v, %v", got, err)
		}
		before, err := c.AIConfigs.Targeting(ctx, "shop", "test", "product-summary")
		if err != nil {
			t.Fatal(err)
		}
		after, err := c.AIConfigs.PatchTargeting(ctx, "shop", "test", "product-summary", ldclient.Patch{Instructions: []ldclient.Instruction{
			ldclient.UpdateFallthrough(ldclient.Serve{VariationID: before.Variations[1].ID})}})
		if err != nil || after.Behind != "" {
			t.Fatalf("%+v, %v", after, err)
		}
		again, err := c.AIConfigs.Targeting(ctx, "shop", "test", "product-summary")
		if err != nil || again.Behind != "" || *again.Environments["test"].Fallthrough.Variation != 1 || !again.Environments["test"].On || again.Kind != ldclient.AIConfigKind {
			t.Errorf("%+v, %v", again, err)
		}
		rule := again.Environments["production"].Rules[0]
		if rule.ID == "" || rule.Clauses[0].ID == "" || again.Variations[1].Key != "short" {
			t.Errorf("ids are not read: %+v, %+v", rule, again.Variations[1])
		}
	})
}

// TestAIConfigDeletionIsRetried: LaunchDarkly refuses for a while after a change of variations.
func TestAIConfigDeletionIsRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, c := lagging(t, 3)
		ctx := t.Context()
		if err := c.AIConfigs.DeleteVariation(ctx, "shop", "shopping-agent", "concise"); err != nil {
			t.Fatal(err)
		}
		if err := c.AIConfigs.Delete(ctx, "shop", "shopping-agent"); err != nil {
			t.Errorf("%v after %d requests", err, len(a.Writes()))
		}
		a.LagAIConfigs(100)
		if err := c.AIConfigs.DeleteVariation(ctx, "shop", "accuracy-judge", "strict"); err == nil {
			t.Error("a variation in service was deleted")
		}
		if err := c.AIConfigs.DeleteVariation(ctx, "shop", "product-summary", "none"); !ldclient.IsNotFound(err) {
			t.Error(err)
		}
		a.Next(sandbox.Fault{Status: 400, Body: `{"code":"invalid_request","message":"Could not delete"}`})
		if err := c.AIConfigs.Delete(ctx, "shop", "returns-helper"); err != nil {
			t.Error(err)
		}
		// Any other refusal stands.
		a.Next(sandbox.Fault{Status: 400, Body: `{"code":"invalid_request","message":"No"}`})
		n := len(a.Writes())
		if err := c.AIConfigs.Delete(ctx, "shop", "accuracy-judge"); err == nil || !strings.Contains(err.Error(), "No") || len(a.Writes()) != n+1 {
			t.Errorf("%v after %d requests", err, len(a.Writes())-n)
		}
	})
}
