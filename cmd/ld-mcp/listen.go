package main

import (
	"bytes"
	"fmt"
	"net"
	"os"

	"github.com/ld-mcp/ld-mcp/cmd/ld-mcp/gateway"
)

const leastKey = 32 // bytes

// key reads the key that seals confirmations and signs session ids, nil where none is given.
func (a *app) key() ([]byte, error) {
	if a.KeyFile == "" {
		return nil, nil
	}
	key, err := os.ReadFile(a.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("the key cannot be read: %w. Check --key-file", err)
	}
	if key = bytes.TrimSpace(key); len(key) < leastKey {
		return nil, usagef("--key-file %s holds %d bytes, and at least %d are needed: write one with openssl rand -hex 32", a.KeyFile, len(key), leastKey)
	}
	return key, nil
}

// checkLoopback refuses an address that other machines could reach.
func checkLoopback(option, addr, otherwise string) error {
	host, port, err := net.SplitHostPort(addr)
	switch {
	case err != nil || port == "":
		return usagef("%s wants an address and a port, such as 127.0.0.1:8080, got %q", option, addr)
	case host == "":
		return usagef("%s %s would listen on every interface without asking who calls: write 127.0.0.1%s, or %s", option, addr, addr, otherwise)
	case !gateway.IsLoopback(host):
		return usagef("%s %s could be reached from other machines without asking who calls: use 127.0.0.1:%s, or %s", option, addr, port, otherwise)
	}
	return nil
}

func listen(addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w. Choose another port, or end the program that uses it", err)
	}
	return ln, nil
}

// listenHere listens on this machine alone, whatever a name resolves to.
func listenHere(addr string) (net.Listener, error) {
	ln, err := listen(addr)
	if err != nil {
		return nil, err
	}
	if tcp, ok := ln.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		ln.Close()
		return nil, fmt.Errorf("%s is not a loopback address on this machine; use 127.0.0.1", addr)
	}
	return ln, nil
}
