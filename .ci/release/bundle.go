package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// member is a file of an archive.
type member struct {
	name string
	mode os.FileMode
	data []byte
}

// bundle writes the MCP bundle, one for all platforms, and the registry's entry, which names its hash.
func bundle(dist, version, unixTime string) error {
	mtime, err := unix(unixTime)
	if err != nil {
		return err
	}
	manifest, err := os.ReadFile("../../deploy/mcpb/manifest.json")
	if err != nil {
		return err
	}
	none := []byte(`"version": "0.0.0"`)
	if bytes.Count(manifest, none) != 1 {
		return errors.New("the bundle's manifest has no version 0.0.0 to replace")
	}
	members := []member{{"manifest.json", 0o644, bytes.Replace(manifest, none, []byte(`"version": "`+version+`"`), 1)}}
	for _, f := range []struct {
		p    platform
		name string
	}{
		{platform{"darwin", "all"}, "server/darwin/ld-mcp"},
		{platform{"linux", "amd64"}, "server/linux/ld-mcp-amd64"},
		{platform{"linux", "arm64"}, "server/linux/ld-mcp-arm64"},
		// Windows on ARM runs it too.
		{platform{"windows", "amd64"}, "server/win32/ld-mcp.exe"},
	} {
		path, err := f.p.binary(dist)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		members = append(members, member{f.name, 0o755, data})
	}
	papers, err := papers()
	if err != nil {
		return err
	}
	launch, err := os.ReadFile("../../deploy/mcpb/launch.sh")
	if err != nil {
		return err
	}
	members = append(members, member{"server/linux/launch.sh", 0o755, launch})
	members = append(members, papers...)
	data, err := zipped(members, mtime)
	if err != nil {
		return err
	}
	name := "ld-mcp_" + version + ".mcpb"
	if err := os.WriteFile(filepath.Join(dist, name), data, 0o644); err != nil {
		return err
	}
	return writeEntry(dist, version, name, data)
}

// papers are the files that go with every copy of the binary.
func papers() ([]member, error) {
	var out []member
	for _, path := range []string{"../../LICENSE", "../../.release/third-party-licences.txt"} {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		out = append(out, member{filepath.Base(path), 0o644, data})
	}
	return out, nil
}

func zipped(members []member, mtime time.Time) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate, Modified: mtime}
		h.SetMode(m.mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(m.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// writeEntry writes server.json as it is published: for this version, and with the bundle,
// whose hash is known only now.
func writeEntry(dist, version, name string, data []byte) error {
	text, err := os.ReadFile("../../server.json")
	if err != nil {
		return err
	}
	var entry struct {
		Schema      string           `json:"$schema"`
		Name        string           `json:"name"`
		Title       string           `json:"title"`
		Description string           `json:"description"`
		Version     string           `json:"version"`
		Repository  map[string]any   `json:"repository"`
		Packages    []map[string]any `json:"packages"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&entry); err != nil {
		return fmt.Errorf("server.json is not as it is expected: %w", err)
	}
	if len(entry.Packages) != 1 || entry.Packages[0]["registryType"] != "oci" {
		return errors.New("server.json has other packages than the image; teach the release about them")
	}
	entry.Version = version
	entry.Packages[0]["identifier"] = imageName + ":" + version
	sum := sha256.Sum256(data)
	entry.Packages = append(entry.Packages, map[string]any{
		"registryType": "mcpb",
		"identifier":   "https://github.com/ld-mcp/ld-mcp/releases/download/v" + version + "/" + name,
		"fileSha256":   hex.EncodeToString(sum[:]),
		"transport":    map[string]any{"type": "stdio"},
	})
	out, err := json.MarshalIndent(entry, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dist, "server.json"), append(out, '\n'), 0o644)
}
