package ldclient_test

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// TestMaskLooksEverywhere: whatever has the shape of a secret is masked, in texts made of pieces of secrets.
func TestMaskLooksEverywhere(t *testing.T) {
	secret := regexp.MustCompile(`(?i)(sdk|mob|api|rel)-(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{20,})`)
	pieces := []string{"sdk", "MOB", "Api", "rel", "sd\u212a", "\u017fdk", "-", "-", "-", "01234567", "01234567-89ab-cdef-0123-456789abcdef", "89AB", "0123456789abcdef0123", "x", "é", " ", `"`}
	r := rand.New(rand.NewPCG(3, 3))
	masked := 0
	for range 200_000 {
		var b strings.Builder
		for range r.IntN(7) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		want := secret.ReplaceAllString(b.String(), "$1-****")
		if want != b.String() {
			masked++
		}
		if got := ldclient.Mask(b.String()); got != want {
			t.Fatalf("%q became %q, want %q", b.String(), got, want)
		}
	}
	if masked < 1000 {
		t.Errorf("only %d held a secret", masked)
	}
}
