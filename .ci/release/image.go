package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	roots "golang.org/x/crypto/x509roots/fallback/bundle"
)

const imageName = "ghcr.io/ld-mcp/ld-mcp"

func unix(seconds string) (time.Time, error) {
	n, err := strconv.ParseInt(seconds, 10, 64)
	return time.Unix(n, 0).UTC(), err
}

// image lays out the container image for both processors in DIST/image, and packs it into one file.
// It holds the same bytes as deploy/Dockerfile's, but for the certificates, which come from a pinned module.
func image(dist, version, commit, unixTime string) error {
	mtime, err := unix(unixTime)
	if err != nil {
		return err
	}
	papers, err := papers()
	if err != nil {
		return err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range platforms {
		if p.os != "linux" {
			continue
		}
		file, err := p.binary(dist)
		if err != nil {
			return err
		}
		program, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		members := []member{{"etc/ssl/certs/ca-certificates.crt", 0o644, certificates()}}
		for _, m := range papers {
			m.name = "usr/share/doc/ld-mcp/" + m.name
			members = append(members, m)
		}
		img, err := imageOf(append(members, member{"ld-mcp", 0o755, program}), p, version, commit, mtime)
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.os, Architecture: p.arch}}})
	}
	dir := filepath.Join(dist, "image")
	at, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	if err := at.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": version})); err != nil {
		return err
	}
	packed, err := packDir(dir, mtime)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dist, "ld-mcp_"+version+"_image.tar"), packed, 0o644)
}

// imageOf is the image for one platform. What it says of itself is what deploy/Dockerfile says.
func imageOf(members []member, p platform, version, commit string, mtime time.Time) (v1.Image, error) {
	content, err := tarred(members, mtime)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := zip.Write(content); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil }, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err = mutate.ConfigFile(img, &v1.ConfigFile{
		OS: p.os, Architecture: p.arch, Created: v1.Time{Time: mtime},
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			Entrypoint:   []string{"/ld-mcp"},
			User:         "65532:65532",
			ExposedPorts: map[string]struct{}{"8080/tcp": {}, "9090/tcp": {}},
			Labels: map[string]string{
				"io.modelcontextprotocol.server.name": "io.github.ld-mcp/ld-mcp",
				"org.opencontainers.image.licenses":   "Apache-2.0",
				"org.opencontainers.image.revision":   commit,
				"org.opencontainers.image.source":     "https://github.com/ld-mcp/ld-mcp",
				"org.opencontainers.image.title":      "ld-mcp",
				"org.opencontainers.image.version":    version,
			},
		},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(img, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: mtime}, CreatedBy: "ld-mcp release"}})
}

// certificates are the roots of Mozilla's list, but for those that a file cannot hold the conditions of.
func certificates() []byte {
	var b bytes.Buffer
	for root := range roots.Roots() {
		if root.Constraint == nil {
			b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return b.Bytes()
}

func tarred(members []member, mtime time.Time) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	dirs := map[string]bool{".": true}
	var addDir func(dir string) error
	addDir = func(dir string) error {
		if dirs[dir] {
			return nil
		}
		dirs[dir] = true
		if err := addDir(path.Dir(dir)); err != nil {
			return err
		}
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: mtime})
	}
	for _, m := range members {
		if err := addDir(path.Dir(m.name)); err != nil {
			return nil, err
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: m.name, Mode: int64(m.mode), Size: int64(len(m.data)), ModTime: mtime}); err != nil {
			return nil, err
		}
		if _, err := w.Write(m.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

func packDir(dir string, mtime time.Time) ([]byte, error) {
	var members []member
	err := filepath.WalkDir(dir, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(file)
		members = append(members, member{filepath.ToSlash(rel), 0o644, data})
		return err
	})
	if err != nil {
		return nil, err
	}
	return tarred(members, mtime)
}

// laidOut is the image in DIST/image.
func laidOut(dist string) (v1.ImageIndex, error) {
	at, err := layout.ImageIndexFromPath(filepath.Join(dist, "image"))
	if err != nil {
		return nil, err
	}
	m, err := at.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(m.Manifests) != 1 {
		return nil, fmt.Errorf("%d images in %s", len(m.Manifests), dist)
	}
	return at.ImageIndex(m.Manifests[0].Digest)
}

// pushImage sends the image to a registry under each name, with the credentials that docker login keeps.
func pushImage(dist string, references ...string) error {
	index, err := laidOut(dist)
	if err != nil {
		return err
	}
	for _, r := range slices.Compact(references) {
		ref, err := name.ParseReference(r)
		if err != nil {
			return err
		}
		if err := remote.WriteIndex(ref, index, remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
			return fmt.Errorf("the image cannot be pushed as %s: %w", r, err)
		}
		digest, err := index.Digest()
		if err != nil {
			return err
		}
		fmt.Printf("%s@%s\n", ref, digest)
	}
	return nil
}
