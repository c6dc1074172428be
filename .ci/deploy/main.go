// Command deploy renders the manifests under deploy/kubernetes, holds each of
// them against the types of the Kubernetes API, and against what ld-mcp takes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// kustomizations are what is rendered: folders, and components on top of the base.
var kustomizations = []struct {
	name       string
	resource   string
	components []string
}{
	{"base", "base", nil},
	{"example", "overlays/example", nil},
	{"oidc", "base", []string{"oidc"}},
	{"passthrough", "base", []string{"passthrough", "monitoring"}},
	{"ingress-nginx", "base", []string{"ingress-nginx"}},
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "deploy:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	fs := flag.NewFlagSet("deploy", flag.ContinueOnError)
	root := fs.String("root", "../..", "the repository")
	bin := fs.String("bin", "", "the ld-mcp binary")
	if err := fs.Parse(args); err != nil {
		return err
	}
	p, err := programOf(*bin, *root)
	if err != nil {
		return err
	}
	var wrong []error
	objects := 0
	for _, k := range kustomizations {
		rendered, err := render(filepath.Join(*root, "deploy/kubernetes"), k.resource, k.components)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		set, err := decode(rendered)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		objects += set.count
		for _, err := range set.check(p) {
			wrong = append(wrong, fmt.Errorf("%s: %w", k.name, err))
		}
	}
	if objects == 0 {
		return errors.New("nothing was rendered")
	}
	for _, err := range p.checkTexts(filepath.Join(*root, "deploy")) {
		wrong = append(wrong, err)
	}
	fmt.Fprintf(out, "%d kustomizations, %d objects, %d options known, %d complaints\n", len(kustomizations), objects, len(p.options), len(wrong))
	return errors.Join(wrong...)
}

// render builds a kustomization in memory, so that components can be tried without an overlay for each.
func render(dir, resource string, components []string) ([]byte, error) {
	disk := filesys.MakeFsOnDisk()
	at := filepath.Join(dir, resource)
	if len(components) > 0 {
		tmp, err := os.MkdirTemp(dir, ".render-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(tmp)
		text := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../" + resource + "]\ncomponents:\n"
		for _, c := range components {
			text += "  - ../components/" + c + "\n"
		}
		if err := os.WriteFile(filepath.Join(tmp, "kustomization.yaml"), []byte(text), 0o600); err != nil {
			return nil, err
		}
		at = tmp
	}
	got, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, at)
	if err != nil {
		return nil, err
	}
	return got.AsYaml()
}

// program is what ld-mcp says of itself.
type program struct {
	options   map[string]bool // --name
	variables map[string]bool
	metrics   string // the source that names them
}

var (
	option   = regexp.MustCompile(`--[a-z][a-z0-9-]+`)
	variable = regexp.MustCompile(`\b(LD_MCP|LAUNCHDARKLY|LD)_[A-Z_]*[A-Z]\b`)
	metric   = regexp.MustCompile(`\bld_mcp_[a-z_]+`)
)

func programOf(bin, root string) (*program, error) {
	help, err := exec.Command(bin, "--help").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --help: %w; build it and give it with --bin", bin, err)
	}
	p := &program{options: map[string]bool{}, variables: map[string]bool{}}
	for _, name := range option.FindAllString(string(help), -1) {
		p.options[name] = true
	}
	for _, name := range variable.FindAllString(string(help), -1) {
		p.variables[name] = true
		if !strings.HasPrefix(name, "LD_MCP_") {
			p.variables[name+"_FILE"] = true
		}
	}
	source, err := os.ReadFile(filepath.Join(root, "cmd/ld-mcp/gateway/metrics.go"))
	if err != nil {
		return nil, err
	}
	p.metrics = string(source)
	if len(p.options) < 30 || len(p.variables) < 30 {
		return nil, fmt.Errorf("%s --help names only %d options and %d variables", bin, len(p.options), len(p.variables))
	}
	return p, nil
}

// others are options of other programs that the texts name.
var others = regexp.MustCompile(`--(build-arg|from-file|from-file|from-literal|platform|namespace|replicas|mount|rm|read-only-rootfs|dry-run|from)\b`)

// checkTexts finds options, variables and metrics that there are not, in whatever deploy says.
func (p *program) checkTexts(dir string) (wrong []error) {
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, name := range option.FindAllString(string(text), -1) {
			if !p.options[name] && !others.MatchString(name) {
				wrong = append(wrong, fmt.Errorf("%s: ld-mcp has no option %s", path, name))
			}
		}
		for _, name := range variable.FindAllString(string(text), -1) {
			if !p.variables[name] {
				wrong = append(wrong, fmt.Errorf("%s: ld-mcp reads no variable %s", path, name))
			}
		}
		for _, name := range metric.FindAllString(string(text), -1) {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				name = strings.TrimSuffix(name, suffix)
			}
			// nginx.conf has names of its own in the same style.
			if filepath.Base(path) != "nginx.conf" && !strings.Contains(p.metrics, `"`+name+`"`) {
				wrong = append(wrong, fmt.Errorf("%s: there is no metric %s", path, name))
			}
		}
		return nil
	})
	if err != nil {
		wrong = append(wrong, err)
	}
	return wrong
}
