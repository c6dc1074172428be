package tools

import "testing"

// BenchmarkNew is what every start pays, with all tools.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(Options{Toolsets: []string{"all"}}); err != nil {
			b.Fatal(err)
		}
	}
}
