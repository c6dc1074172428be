// Package choice turns what a fuzzer mutates into choices, so that tests can
// draw something well formed from any bytes.
package choice

import "math/rand/v2"

// New returns a generator that draws one choice from each byte of data, and
// goes on by itself, always in the same way, once they are used up.
func New(data []byte) *rand.Rand {
	return rand.New(&source{data, rand.NewPCG(uint64(len(data)), 1)})
}

type source struct {
	data []byte
	then rand.Source
}

func (s *source) Uint64() uint64 {
	if len(s.data) == 0 {
		return s.then.Uint64()
	}
	b := s.data[0]
	s.data = s.data[1:]
	return uint64(b) * 0x0101010101010101 // the same in all places, wherever the generator looks
}

// Of picks one of several.
func Of[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// Chance is true in so many of a hundred cases.
func Chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

// Seeds are bytes to start from, always the same.
func Seeds(n int) [][]byte {
	r := rand.New(rand.NewPCG(1, 1))
	out := make([][]byte, n)
	for i := range out {
		out[i] = make([]byte, 16+r.IntN(240))
		for j := range out[i] {
			out[i][j] = byte(r.Uint32())
		}
	}
	return out
}
