package contract

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// newer describes operations that LaunchDarkly has and that its document, as of March 2026, lacks or tells less of.
//
//go:embed newer.json
var newer []byte

// addNewer adds what the document does not know yet. It takes precedence.
func (c *Checker) addNewer() error {
	doc, err := openapi3.NewLoader().LoadFromData(newer)
	if err != nil {
		return fmt.Errorf("reading the newer operations: %w", err)
	}
	c.add(doc)
	return nil
}

// add adds the operations of a document; of two for one request, the first that was added counts.
func (c *Checker) add(doc *openapi3.T) {
	for path, item := range doc.Paths.Map() {
		segs := strings.Split(path[1:], "/")
		for method, op := range item.Operations() {
			key := method + strconv.Itoa(len(segs))
			c.operations[key] = append(c.operations[key], &operation{op, segs, needsBeta(op)})
		}
	}
}
