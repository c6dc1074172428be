package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHide(t *testing.T) {
	t.Parallel()
	a := newApp(getenvOf(nil), strings.NewReader(""), nil, nil)
	defer a.close()
	for _, c := range []struct{ format, text, want string }{
		{"json", ``, ``},
		{"json", `{"args": ["--api-key", "abc", "--region", "eu"]}`, `{"args": ["--api-key", "(hidden)", "--region", "eu"]}`},
		{"json", `{"args": ["--api-key" /* mine */, // "of old"` + "\n" + `"abc",]}`, `{"args": ["--api-key" /* mine */, // "of old"` + "\n" + `"(hidden)",]}`},
		{"json", `{"args": ["--api\u002dkey", "abc"]}`, `{"args": ["--api\u002dkey", "(hidden)"]}`},
		{"json", `{"args": ["--api-key=abc", "LD_API_KEY=abc", "-e", "DB_PASSWORD=abc def"]}`, `{"args": ["--api-key=(hidden)", "LD_API_KEY=(hidden)", "-e", "DB_PASSWORD=(hidden)"]}`},
		{"json", `{"args": ["--header", "Authorization: Bearer abc", "--header", "X-Other: Bearer abc"]}`, `{"args": ["--header", "Authorization: (hidden)", "--header", "X-Other: Bearer (hidden)"]}`},
		{"json", `{"args": ["https://user:abc@example.com/x", "https://example.com/?a=b&token=abc"]}`, `{"args": ["https://(hidden)@example.com/x", "https://example.com/?a=b&token=(hidden)"]}`},
		{"json", `{"args": ["-c", "LD_TOKEN_FILE=/t other --secret abc"]}`, `{"args": ["-c", "LD_TOKEN_FILE=/t other --secret (hidden)"]}`},
		{"json", `{"args": ["{\"apiKey\": \"abc\"}"]}`, `{"args": ["{\"apiKey\": (hidden)"]}`},
		{"json", `{"command": ["other", "--auth", "abc"]}`, `{"command": ["other", "--auth", "(hidden)"]}`},
		{"json", `{"env": {"DB_PASS": "abc", "AUTH": "abc", "A_SECRET": "abc", "A_KEY": 1234, "PORT": 1234}}`, `{"env": {"DB_PASS": "(hidden)", "AUTH": "(hidden)", "A_SECRET": "(hidden)", "A_KEY": "(hidden)", "PORT": 1234}}`},
		{"json", `{"headers": {"X-Api-Key": ["abc"]}}`, `{"headers": {"X-Api-Key": ["(hidden)"]}}`},
		{"json", "{\n  // \"LD_API_KEY\": \"abc\"\n  /* --token\n abc */\n  \"a\": 1 // it's kept\n}", "{\n  // (hidden)\n  /* (hidden) */\n  \"a\": 1 // it's kept\n}"},
		{"json", `{"args": ["--no-auth", "--read-only", "--token", "${TOKEN}", "--key=${KEY}", "--token-file", "/t"]}`, ""},
		{"json", `{"env": {"A_TOKEN": "${env:A_TOKEN}", "A_TOKEN_FILE": "/t", "HTTPS_PROXY": "http://proxy:80"}, "headers": {"Authorization": "Bearer ${KEY}"}}`, ""},
		{"json", `{"args": ["-y", "@scope/token-server@1.2", "--region", "eu"], "command": "/keys/ld-mcp"}`, ""},
		{"json", `{"args": ["--api-key", "abc"`, "(hidden)\n"},
		{"toml", "[s.n]\nargs = [\n  '--api-key', # \"why\"\n  'abc',\n  \"\"\"A_TOKEN=abc\"\"\"]\n", "[s.n]\nargs = [\n  '--api-key', # \"why\"\n  \"(hidden)\",\n  \"A_TOKEN=(hidden)\"]\n"},
		{"toml", "[s.n]\nenv = { A_PASS = 'abc', \"A#KEY\" = 12 }\n# token = 'abc'\n[s.n.env]\nSECRET = '''abc'''\n", "[s.n]\nenv = { A_PASS = \"(hidden)\", \"A#KEY\" = \"(hidden)\" }\n# (hidden)\n[s.n.env]\nSECRET = \"(hidden)\"\n"},
		{"toml", "[s.my-key]\ncommand = \"x\"\nenv_vars = [\"LD_API_KEY\", \"HTTPS_PROXY\"]\nbearer_token_env_var = \"LD_KEY\"\n", ""},
		{"toml", "a = \n", "(hidden)\n"},
	} {
		want := c.want
		if want == "" {
			want = c.text
		}
		if d := cmp.Diff(want, hide(a, c.format, []byte(c.text))); d != "" {
			t.Errorf("%s: %s", c.text, d)
		}
	}
}
