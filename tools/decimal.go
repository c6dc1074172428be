package tools

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
)

// decimal is a number as JSON writes it, exactly and in no more memory than its
// text: ±0.digits times ten to the power of exponent.
type decimal struct {
	negative bool
	digits   string // without zeros at either end, "" for zero
	exponent int64
}

// maxExponent is beyond every limit and every text; exponents are cut there.
const maxExponent = 1 << 40

func decimalOf(n json.Number) decimal {
	text, negative := strings.CutPrefix(n.String(), "-")
	power := int64(0)
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		power, _ = strconv.ParseInt(text[i+1:], 10, 64) // what is out of range becomes the nearest in it
		power = max(-maxExponent, min(maxExponent, power))
		text = text[:i]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	all := whole + fraction
	digits := strings.TrimLeft(all, "0")
	exponent := int64(len(whole)-(len(all)-len(digits))) + power
	digits = strings.TrimRight(digits, "0")
	if digits == "" {
		return decimal{}
	}
	return decimal{negative, digits, exponent}
}

// whole reports whether there is nothing behind the point.
func (d decimal) whole() bool { return int64(len(d.digits)) <= max(d.exponent, 0) }

// int64 is the number itself, false where it is none of these.
func (d decimal) int64() (int64, bool) {
	const most = 19 // digits of an int64
	if !d.whole() || d.exponent > most {
		return 0, false
	}
	text := d.digits + strings.Repeat("0", int(d.exponent)-len(d.digits))
	if d.negative {
		text = "-" + text
	}
	n, err := strconv.ParseInt(cmp.Or(text, "0"), 10, 64)
	return n, err == nil
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	}
	return 1
}

// compare is -1, 0 or 1 as d is below, at or above o.
func (d decimal) compare(o decimal) int {
	if d.sign() != o.sign() {
		return cmp.Compare(d.sign(), o.sign())
	}
	return d.sign() * cmp.Or(cmp.Compare(d.exponent, o.exponent), strings.Compare(d.digits, o.digits))
}
