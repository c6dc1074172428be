// Package typo tells how near two words are to each other.
package typo

// Distance is how many bytes have to be put in, taken out or replaced to get from a to b.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		above := row[0]
		row[0] = i + 1
		for j := range len(b) {
			here := above
			if a[i] != b[j] {
				here = 1 + min(above, row[j], row[j+1])
			}
			above, row[j+1] = row[j+1], here
		}
	}
	return row[len(b)]
}
