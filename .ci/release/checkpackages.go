package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// cask holds Homebrew's cask to name every archive it needs with its hash.
func (r *released) cask() error {
	text, err := r.read("homebrew/Casks/ld-mcp.rb")
	if err != nil {
		return err
	}
	for _, p := range platforms {
		if p.os != "windows" && !bytes.Contains(text, []byte(`"`+r.sums[r.archive(p)]+`"`)) {
			return fmt.Errorf("the cask lacks the hash of %s", r.archive(p))
		}
	}
	if !bytes.Contains(text, []byte(`version "`+r.version+`"`)) || !bytes.Contains(text, []byte(`binary "ld-mcp"`)) {
		return fmt.Errorf("the cask is for another version or binary:\n%s", text)
	}
	return nil
}

// bundle holds the MCP bundle to be of this version, starts it where that can be, and finds it in server.json.
func (r *released) bundle() error {
	name := "ld-mcp_" + r.version + ".mcpb"
	data, err := r.read(name)
	if err != nil {
		return err
	}
	files, err := unpacked(name, data)
	if err != nil {
		return err
	}
	var manifest struct {
		Version string
		Server  struct {
			MCPConfig struct {
				Env               map[string]string
				PlatformOverrides map[string]struct {
					Command string
					Args    []string
				} `json:"platform_overrides"`
			} `json:"mcp_config"`
		}
		UserConfig map[string]struct{ Default any } `json:"user_config"`
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil || manifest.Version != r.version {
		return fmt.Errorf("the bundle is of version %q (%w)", manifest.Version, err)
	}
	entry, err := r.read("server.json")
	if err != nil {
		return err
	}
	for _, want := range []string{r.sums[name], "/v" + r.version + "/" + name, imageName + ":" + r.version} {
		if !bytes.Contains(entry, []byte(want)) {
			return fmt.Errorf("server.json lacks %s", want)
		}
	}
	if runtime.GOOS != "linux" {
		return nil
	}
	dir, err := os.MkdirTemp("", "bundle")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for file, text := range files {
		at := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		// Without permissions, as some hosts unpack.
		if err := os.WriteFile(at, text, 0o644); err != nil {
			return err
		}
	}
	// As a host starts it for someone who gives a token and leaves the rest as it is.
	values := []string{"${__dirname}", dir}
	for key, c := range manifest.UserConfig {
		if c.Default == nil {
			c.Default = "api-01234567-89ab-cdef-0123-456789abcdef"
		}
		values = append(values, "${user_config."+key+"}", fmt.Sprint(c.Default))
	}
	fill := strings.NewReplacer(values...)
	env := []string{"LD_MCP_SANDBOX=1", "PATH=" + os.Getenv("PATH")}
	for key, value := range manifest.Server.MCPConfig.Env {
		env = append(env, key+"="+fill.Replace(value))
	}
	start := manifest.Server.MCPConfig.PlatformOverrides["linux"]
	for i := range start.Args {
		start.Args[i] = fill.Replace(start.Args[i])
	}
	return r.answers(env, fill.Replace(start.Command), start.Args...)
}

// image pushes the container image to a registry of its own and holds what comes back against the binaries.
func (r *released) image() error {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	at := strings.TrimPrefix(server.URL, "http://") + "/ld-mcp:" + r.version
	if err := pushImage(r.dist, at); err != nil {
		return err
	}
	ref, err := name.ParseReference(at)
	if err != nil {
		return err
	}
	dockerfile, err := os.ReadFile("../../deploy/Dockerfile")
	if err != nil {
		return err
	}
	index, err := remote.Index(ref)
	if err != nil {
		return err
	}
	if err := validate.Index(index); err != nil {
		return err
	}
	for _, p := range platforms {
		if p.os != "linux" {
			continue
		}
		img, err := remote.Image(ref, remote.WithPlatform(v1.Platform{OS: p.os, Architecture: p.arch}))
		if err != nil {
			return err
		}
		config, err := img.ConfigFile()
		if err != nil {
			return err
		}
		if err := r.configured(config, p, string(dockerfile)); err != nil {
			return fmt.Errorf("the image for %s: %w", p, err)
		}
		content := mutate.Extract(img)
		files, err := untarred(content)
		content.Close()
		if err != nil {
			return err
		}
		built, err := p.binary(r.dist)
		if err != nil {
			return err
		}
		program, err := os.ReadFile(built)
		if err != nil {
			return err
		}
		if !bytes.Equal(files["ld-mcp"], program) {
			return fmt.Errorf("the image for %s holds another binary", p)
		}
		if n := bytes.Count(files["etc/ssl/certs/ca-certificates.crt"], []byte("BEGIN CERTIFICATE")); n < 50 {
			return fmt.Errorf("the image holds %d certificates", n)
		}
	}
	return nil
}

// configured holds the image's configuration to be what deploy/Dockerfile says, and of this release.
func (r *released) configured(config *v1.ConfigFile, p platform, dockerfile string) error {
	c := config.Config
	want := []string{"USER " + c.User, `ENTRYPOINT ["` + strings.Join(c.Entrypoint, `", "`) + `"]`}
	for port := range c.ExposedPorts {
		want = append(want, strings.TrimSuffix(port, "/tcp"))
	}
	for _, label := range []string{"io.modelcontextprotocol.server.name", "org.opencontainers.image.source", "org.opencontainers.image.licenses"} {
		want = append(want, label+`="`+c.Labels[label]+`"`)
	}
	for _, w := range want {
		if !strings.Contains(dockerfile, w) {
			return fmt.Errorf("deploy/Dockerfile does not say %s", w)
		}
	}
	if config.OS != p.os || config.Architecture != p.arch || c.Labels["org.opencontainers.image.revision"] != r.commit || c.Labels["org.opencontainers.image.version"] != r.version {
		return fmt.Errorf("it is for %s/%s with %v", config.OS, config.Architecture, c.Labels)
	}
	entry, err := r.read("server.json")
	if err == nil && !strings.Contains(string(entry), `"name": "`+c.Labels["io.modelcontextprotocol.server.name"]+`"`) {
		err = errors.New("server.json has another name")
	}
	return err
}
