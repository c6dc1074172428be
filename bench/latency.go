package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// isFlag reports whether a reply is about this flag.
func isFlag(reply, key string) bool {
	var f struct{ Key string }
	return json.Unmarshal([]byte(reply), &f) == nil && f.Key == key
}

// latency measures what a tool adds to the plain requests behind it.
func (b *bench) latency(ctx context.Context) ([]row, error) {
	var sides [2]*process
	for side, c := range b.both {
		p, err := c.open(ctx, b.up.url)
		if err != nil {
			return nil, err
		}
		defer p.stop()
		sides[side] = p
	}
	compare := func(n int, what string, ask func(c *contender, i int) []question, plain func(i int) []string) (took samples, direct []float64, err error) {
		for i := range b.times.warm + n {
			b.say(fmt.Sprintf("%s: call %d of %d", what, i+1, b.times.warm+n))
			for k := range 3 {
				var d time.Duration
				side := (i+k)%3 - 1
				if side < 0 {
					d, err = b.up.getAll(ctx, plain(i))
				} else {
					_, d, err = sides[side].callAll(ask(b.both[side], i))
				}
				switch {
				case err != nil:
					return took, nil, fmt.Errorf("%s: %w", what, err)
				case i < b.times.warm:
				case side < 0:
					direct = append(direct, ms(d))
				default:
					took.add(side, ms(d))
				}
			}
		}
		return took, direct, nil
	}
	rows := func(id, name string, took samples, direct []float64) [2]row {
		whole := newRow(id+"-time", name+", time until the reply", milliseconds, &took)
		added := whole
		plain := median(direct)
		added.ID, added.Name = id+"-added", fmt.Sprintf("%s, of that added to the plain %.2f ms", name, plain)
		added.Ours, added.Theirs = max(0, added.Ours-plain), max(0, added.Theirs-plain)
		return [2]row{whole, added}
	}
	took, direct, err := compare(b.times.gets, "get", func(c *contender, i int) []question { return []question{c.get(b.up.flags[i%pageSpan])} },
		func(i int) []string { return plainGet(b.up.flags[i%pageSpan]) })
	if err != nil {
		return nil, err
	}
	gets := rows("get", "one flag", took, direct)
	took, direct, err = compare(b.times.pages, "list", func(c *contender, i int) []question { return c.list(i*listed%pageSpan, listed) },
		func(i int) []string { return plainList(i*listed%pageSpan, listed) })
	if err != nil {
		return nil, err
	}
	pages := rows("list", fmt.Sprintf("list of %d flags", listed), took, direct)
	return []row{gets[0], gets[1].most(0.3), pages[0], pages[1].atMost(1.0 / 3)}, nil
}
