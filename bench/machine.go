package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// facts are what a measurement was made on.
type facts struct {
	Date   string `json:"date"`
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Node   string `json:"node"`

	Load float64 `json:"load"` // processes that wanted to run in the minute before
}

func machine(ctx context.Context) (facts, error) {
	node, err := lookUp("node")
	if err != nil {
		return facts{}, err
	}
	version, err := exec.CommandContext(ctx, node, "--version").Output()
	if err != nil {
		return facts{}, fmt.Errorf("node does not tell its version: %w", err)
	}
	cpus, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return facts{}, fmt.Errorf("this needs Linux: %w", err)
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return facts{}, fmt.Errorf("this needs Linux: %w", err)
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return facts{}, fmt.Errorf("this needs Linux: %w", err)
	}
	f := facts{
		Date: time.Now().UTC().Format(time.DateOnly), CPU: cpuIn(string(cpus)), Cores: runtime.NumCPU(), Kernel: strings.TrimSpace(string(kernel)),
		Go: strings.TrimPrefix(runtime.Version(), "go"), Node: strings.TrimPrefix(strings.TrimSpace(string(version)), "v"),
	}
	_, err = fmt.Sscan(string(load), &f.Load)
	return f, err
}

func cpuIn(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	return runtime.GOARCH
}

func lookUp(program string) (string, error) {
	file, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%s is needed to run what ld-mcp is measured against: %w", program, err)
	}
	return file, nil
}
