package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// served returns a session with a server that answer is.
func served(t *testing.T, answer func(lines *bufio.Scanner, out io.Writer)) *session {
	t.Helper()
	fromUs, in := io.Pipe()
	out, toUs := io.Pipe()
	go func() {
		answer(bufio.NewScanner(fromUs), toUs)
		toUs.Close()
	}()
	t.Cleanup(func() { in.Close(); out.Close() })
	return &session{in: in, out: bufio.NewReader(out), giveUp: func() { out.Close() }}
}

func idOf(line string) (id int, tool string) {
	var m struct {
		ID     int
		Params struct{ Name string }
	}
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		panic(err)
	}
	return m.ID, m.Params.Name
}

func says(id int, text string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":%q}]}}`+"\n", id, text)
}

// TestAsk: the answer is told from all else that a server may say.
func TestAsk(t *testing.T) {
	t.Parallel()
	s := served(t, func(lines *bufio.Scanner, out io.Writer) {
		for lines.Scan() {
			id, tool := idOf(lines.Text())
			io.WriteString(out, `{"jsonrpc":"2.0","method":"notifications/message","params":{"id":1}}`+"\n")
			fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%d,"method":"ping"}`+"\n", id)
			io.WriteString(out, `{"jsonrpc":"2.0","id":"x","method":"ping"}`+"\n")
			io.WriteString(out, says(id+1, "another answer"))
			switch tool {
			case "fails":
				fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%d,"error":{"code":-1,"message":"no such tool"}}`+"\n", id)
			case "refuses":
				fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%d,"result":{"isError":true,"content":[{"type":"text","text":"not allowed"}]}}`+"\n", id)
			case "dies":
				return
			default:
				io.WriteString(out, says(id, "this is "+tool))
			}
		}
	})
	for _, c := range []struct{ tool, want string }{{"one", "this is one"}, {"fails", "no such tool"}, {"refuses", "not allowed"}, {"two", "this is two"}, {"dies", "no answer"}} {
		got, took, err := s.call(question{Tool: c.tool})
		if err != nil {
			got = err.Error()
		} else if took <= 0 {
			t.Errorf("%s took %s", c.tool, took)
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", c.tool, got)
		}
	}
}

// TestCallAtOnce: answers may come in any order; those that are wrong, refused or failed are counted.
func TestCallAtOnce(t *testing.T) {
	t.Parallel()
	const n = 10
	s := served(t, func(lines *bufio.Scanner, out io.Writer) {
		var answers []string
		for len(answers) < n && lines.Scan() {
			switch id, tool := idOf(lines.Text()); tool {
			case "t3":
				answers = append(answers, says(id, "t4"))
			case "t5":
				answers = append(answers, fmt.Sprintf(`{"id":%d,"error":{}}`+"\n", id))
			case "t6":
				answers = append(answers, fmt.Sprintf(`{"id":%d,"result":{"isError":true,"content":[{"text":"t6"}]}}`+"\n", id))
			default:
				answers = append(answers, says(id, tool))
			}
		}
		for i := range answers { // the last first, and one twice
			io.WriteString(out, answers[len(answers)-1-i])
			if i == 2 {
				io.WriteString(out, answers[len(answers)-1-i])
			}
		}
	})
	var qs []question
	for i := range n {
		qs = append(qs, question{Tool: fmt.Sprintf("t%d", i)})
	}
	failed, took, err := s.callAtOnce(qs, func(i int, reply string) bool { return reply == fmt.Sprintf("t%d", i) })
	if err != nil || failed != 3 || took <= 0 || took > time.Minute {
		t.Errorf("%d failed in %s, %v", failed, took, err)
	}
	if _, _, err := s.callAtOnce(qs[:1], nil); err == nil {
		t.Error("a server that is gone answered")
	}
}

func TestPeakIn(t *testing.T) {
	t.Parallel()
	if got, err := peakIn("Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t   2048 kB\nVmRSS:\t 7 kB\n"); err != nil || got != 2<<20 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := peakIn("Name:\tx\n"); err == nil {
		t.Error("nothing told of memory")
	}
}
