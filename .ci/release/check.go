package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// released is a finished release that is looked at.
type released struct {
	dist, version, commit string
	sums                  map[string]string // by file name
}

// check holds what goreleaser and the other commands made against what a release should be.
func check(dist, version, commit string) error {
	r := &released{dist, version, commit, map[string]string{}}
	return errors.Join(r.checksums(), r.builds(), r.cask(), r.bundle(), r.image())
}

func (r *released) read(name string) ([]byte, error) { return os.ReadFile(filepath.Join(r.dist, name)) }

// checksums verifies every file that users get, and that none is left out.
func (r *released) checksums() error {
	list, err := r.read("checksums.txt")
	if err != nil {
		return err
	}
	var wrong []error
	for line := range strings.Lines(string(list)) {
		sum, file, _ := strings.Cut(strings.TrimSpace(line), "  ")
		data, err := r.read(file)
		if err != nil {
			return err
		}
		if is := sha256.Sum256(data); hex.EncodeToString(is[:]) != sum {
			wrong = append(wrong, fmt.Errorf("%s has another checksum", file))
		}
		r.sums[file] = sum
	}
	want := []string{"ld-mcp_" + r.version + ".mcpb", "ld-mcp_" + r.version + "_image.tar", "server.json"}
	for _, p := range platforms {
		want = append(want, r.archive(p), r.stem(p)+".cdx.json")
	}
	for _, file := range want {
		if r.sums[file] == "" {
			wrong = append(wrong, fmt.Errorf("%s is not in checksums.txt", file))
		}
	}
	if len(r.sums) != len(want) {
		wrong = append(wrong, fmt.Errorf("checksums.txt names %d files instead of %d", len(r.sums), len(want)))
	}
	return errors.Join(wrong...)
}

func (r *released) stem(p platform) string {
	return "ld-mcp_" + r.version + "_" + p.os + "_" + p.arch
}

func (r *released) archive(p platform) string {
	if p.os == "windows" {
		return r.stem(p) + ".zip"
	}
	return r.stem(p) + ".tar.gz"
}

// builds looks at each binary, its archive and its bill of materials.
func (r *released) builds() error {
	var wrong []error
	for _, p := range platforms {
		file, err := p.binary(r.dist)
		if err != nil {
			return err
		}
		program, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		info, err := buildinfo.Read(bytes.NewReader(program))
		if err != nil {
			return err
		}
		for _, err := range []error{r.settings(p, info), static(p, program), noPlaces(program), r.packed(p, program, info), r.materials(p, info)} {
			if err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", p, err))
			}
		}
		if p.os == runtime.GOOS && p.arch == runtime.GOARCH {
			wrong = append(wrong, r.answers([]string{"LD_MCP_SANDBOX=1"}, file))
		}
	}
	return errors.Join(wrong...)
}

func (r *released) settings(p platform, info *debug.BuildInfo) error {
	is := map[string]string{}
	for _, s := range info.Settings {
		is[s.Key] = s.Value
	}
	var wrong []error
	for key, want := range map[string]string{"CGO_ENABLED": "0", "-trimpath": "true", "vcs.revision": r.commit, "vcs.modified": "false", "GOOS": p.os, "GOARCH": p.arch} {
		if is[key] != want {
			wrong = append(wrong, fmt.Errorf("built with %s=%s instead of %s", key, is[key], want))
		}
	}
	for _, d := range info.Deps {
		if d.Replace != nil {
			wrong = append(wrong, fmt.Errorf("%s is replaced", d.Path))
		}
		if d.Sum == "" {
			wrong = append(wrong, fmt.Errorf("%s has no checksum", d.Path))
		}
	}
	return errors.Join(wrong...)
}

// static holds Linux binaries to need no loader and no library. The others use their system's own.
func static(p platform, program []byte) error {
	if p.os != "linux" {
		return nil
	}
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return err
	}
	for _, part := range f.Progs {
		if part.Type == elf.PT_INTERP || part.Type == elf.PT_DYNAMIC {
			return errors.New("not static")
		}
	}
	return nil
}

// noPlaces looks for directories of the machine that built the program.
func noPlaces(program []byte) error {
	out, err := exec.Command("go", "env", "GOPATH", "GOMODCACHE", "GOCACHE", "GOROOT").Output()
	if err != nil {
		return err
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	for _, place := range append(strings.Fields(string(out)), root) {
		if bytes.Contains(program, []byte(place+"/")) {
			return fmt.Errorf("%s is in the binary", place)
		}
	}
	return nil
}

// packed compares what is in an archive.
func (r *released) packed(p platform, program []byte, info *debug.BuildInfo) error {
	data, err := r.read(r.archive(p))
	if err != nil {
		return err
	}
	files, err := unpacked(r.archive(p), data)
	if err != nil {
		return err
	}
	name := "ld-mcp"
	if p.os == "windows" {
		name += ".exe"
	}
	if !bytes.Equal(files[name], program) {
		return errors.New("the archive holds another binary")
	}
	for _, paper := range []string{"LICENSE", "README.md", "third-party-licences.txt"} {
		if len(files[paper]) < 1000 {
			return fmt.Errorf("the archive has no %s", paper)
		}
	}
	for _, d := range info.Deps {
		if !bytes.Contains(files["third-party-licences.txt"], []byte("\n"+d.Path+" "+d.Version+", ")) {
			return fmt.Errorf("the archive has no licence of %s", d.Path)
		}
	}
	return nil
}

func unpacked(name string, data []byte) (map[string][]byte, error) {
	files := map[string][]byte{}
	if !strings.HasSuffix(name, ".tar.gz") {
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return nil, err
		}
		for _, f := range z.File {
			in, err := f.Open()
			if err != nil {
				return nil, err
			}
			if files[f.Name], err = io.ReadAll(in); err != nil {
				return nil, err
			}
		}
		return files, nil
	}
	g, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return untarred(g)
}

func untarred(in io.Reader) (map[string][]byte, error) {
	files := map[string][]byte{}
	for t := tar.NewReader(in); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if files[h.Name], err = io.ReadAll(t); err != nil {
			return nil, err
		}
	}
}

// materials holds a bill of materials to name every module in the binary.
func (r *released) materials(p platform, info *debug.BuildInfo) error {
	data, err := r.read(r.stem(p) + ".cdx.json")
	if err != nil {
		return err
	}
	type component struct{ Name, Version string }
	var bill struct {
		BOMFormat  string
		Metadata   struct{ Component component }
		Components []component
	}
	if err := json.Unmarshal(data, &bill); err != nil {
		return err
	}
	listed := map[component]bool{}
	for _, c := range bill.Components {
		listed[c] = true
	}
	var wrong []error
	for _, d := range info.Deps {
		if !listed[component{d.Path, d.Version}] {
			wrong = append(wrong, fmt.Errorf("the bill of materials lacks %s %s", d.Path, d.Version))
		}
	}
	if !listed[component{"std", info.GoVersion}] || len(listed) != len(info.Deps)+1 {
		wrong = append(wrong, fmt.Errorf("the bill of materials lists %d components for %d modules and Go's library", len(listed), len(info.Deps)))
	}
	if bill.BOMFormat != "CycloneDX" || bill.Metadata.Component != (component{info.Main.Path, "v" + r.version}) {
		wrong = append(wrong, fmt.Errorf("the bill of materials is for %+v", bill.Metadata.Component))
	}
	return errors.Join(wrong...)
}

// answers starts a program, as MCP clients do, and says hello.
func (r *released) answers(env []string, program string, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.Env = env
	cmd.Stdin = strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"release","version":"1"}}}` + "\n")
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	var reply struct {
		Result struct {
			ServerInfo struct{ Name, Version string }
		}
	}
	if err := json.Unmarshal(out, &reply); err != nil || reply.Result.ServerInfo.Name != "ld-mcp" {
		return fmt.Errorf("%s answers %q", program, out)
	}
	shown, err := exec.Command(program, append(args, "version")...).Output()
	if err != nil {
		return err
	}
	fmt.Printf("  %s", shown)
	if !strings.Contains(string(shown), r.commit[:12]) || strings.Contains(string(shown), "changes") {
		return fmt.Errorf("%s version says %s", program, shown)
	}
	return nil
}
