package gateway

import (
	"bytes"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// fromRuntime are the metrics of Go's runtime, each the sum of what runtime/metrics calls from.
var fromRuntime = []struct {
	name, kind, help string
	from             []string
}{
	{"go_gc_gogc_percent", "gauge", "Growth of the heap that begins a garbage collection, in percent (GOGC).", []string{"/gc/gogc:percent"}},
	{"go_gc_gomemlimit_bytes", "gauge", "Memory that the runtime tries not to exceed (GOMEMLIMIT).", []string{"/gc/gomemlimit:bytes"}},
	{"go_goroutines", "gauge", "Goroutines.", []string{"/sched/goroutines:goroutines"}},
	{"go_memstats_alloc_bytes", "gauge", "Memory of objects on the heap.", []string{"/memory/classes/heap/objects:bytes"}},
	{"go_memstats_alloc_bytes_total", "counter", "Memory allocated on the heap since the start.", []string{"/gc/heap/allocs:bytes"}},
	{"go_memstats_buck_hash_sys_bytes", "gauge", "Memory of the profiler's tables.", []string{"/memory/classes/profiling/buckets:bytes"}},
	{"go_memstats_frees_total", "counter", "Objects freed since the start.", []string{"/gc/heap/frees:objects", "/gc/heap/tiny/allocs:objects"}},
	{"go_memstats_gc_sys_bytes", "gauge", "Memory of the garbage collector's own data.", []string{"/memory/classes/metadata/other:bytes"}},
	{"go_memstats_heap_alloc_bytes", "gauge", "Memory of objects on the heap, as go_memstats_alloc_bytes.", []string{"/memory/classes/heap/objects:bytes"}},
	{"go_memstats_heap_idle_bytes", "gauge", "Memory of the heap that is not in use.", []string{"/memory/classes/heap/released:bytes", "/memory/classes/heap/free:bytes"}},
	{"go_memstats_heap_inuse_bytes", "gauge", "Memory of the heap that is in use.", []string{"/memory/classes/heap/objects:bytes", "/memory/classes/heap/unused:bytes"}},
	{"go_memstats_heap_objects", "gauge", "Objects on the heap.", []string{"/gc/heap/objects:objects"}},
	{"go_memstats_heap_released_bytes", "gauge", "Memory of the heap that was given back to the system.", []string{"/memory/classes/heap/released:bytes"}},
	{"go_memstats_heap_sys_bytes", "gauge", "Memory of the heap.", []string{"/memory/classes/heap/objects:bytes", "/memory/classes/heap/unused:bytes", "/memory/classes/heap/released:bytes", "/memory/classes/heap/free:bytes"}},
	{"go_memstats_mallocs_total", "counter", "Objects allocated since the start.", []string{"/gc/heap/allocs:objects", "/gc/heap/tiny/allocs:objects"}},
	{"go_memstats_mcache_inuse_bytes", "gauge", "Memory of mcache structures in use.", []string{"/memory/classes/metadata/mcache/inuse:bytes"}},
	{"go_memstats_mcache_sys_bytes", "gauge", "Memory of mcache structures.", []string{"/memory/classes/metadata/mcache/inuse:bytes", "/memory/classes/metadata/mcache/free:bytes"}},
	{"go_memstats_mspan_inuse_bytes", "gauge", "Memory of mspan structures in use.", []string{"/memory/classes/metadata/mspan/inuse:bytes"}},
	{"go_memstats_mspan_sys_bytes", "gauge", "Memory of mspan structures.", []string{"/memory/classes/metadata/mspan/inuse:bytes", "/memory/classes/metadata/mspan/free:bytes"}},
	{"go_memstats_next_gc_bytes", "gauge", "Size of the heap at which the next garbage collection ends.", []string{"/gc/heap/goal:bytes"}},
	{"go_memstats_other_sys_bytes", "gauge", "Memory of the runtime's other structures.", []string{"/memory/classes/other:bytes"}},
	{"go_memstats_stack_inuse_bytes", "gauge", "Memory of goroutines' stacks.", []string{"/memory/classes/heap/stacks:bytes"}},
	{"go_memstats_stack_sys_bytes", "gauge", "Memory of all stacks.", []string{"/memory/classes/heap/stacks:bytes", "/memory/classes/os-stacks:bytes"}},
	{"go_memstats_sys_bytes", "gauge", "Memory that the runtime has from the system.", []string{"/memory/classes/total:bytes"}},
	{"go_sched_gomaxprocs_threads", "gauge", "Threads that may run Go code at once (GOMAXPROCS).", []string{"/sched/gomaxprocs:threads"}},
}

// goMetrics are what Prometheus' own client tells of Go's runtime.
type goMetrics struct{}

func (goMetrics) appendTo(b []byte) []byte {
	var samples []metrics.Sample
	for _, f := range fromRuntime {
		for _, name := range f.from {
			samples = append(samples, metrics.Sample{Name: name})
		}
	}
	metrics.Read(samples)
	for _, f := range fromRuntime {
		sum := 0.0
		for range f.from {
			if v := samples[0].Value; v.Kind() == metrics.KindUint64 {
				sum += float64(v.Uint64())
			}
			samples = samples[1:]
		}
		b = single(b, f.name, f.kind, f.help, sum)
	}
	threads, _ := runtime.ThreadCreateProfile(nil)
	b = single(b, "go_threads", "gauge", "Threads that the runtime created.", float64(threads))
	info := family{"go_info", "Version of Go.", "gauge", []string{"version"}}
	b = info.series(info.begin(b), "", values{runtime.Version()}, "", "", 1)

	gc := debug.GCStats{PauseQuantiles: make([]time.Duration, 5)}
	debug.ReadGCStats(&gc)
	last := 0.0
	if gc.NumGC > 0 {
		last = float64(gc.LastGC.UnixNano()) / 1e9
	}
	b = single(b, "go_memstats_last_gc_time_seconds", "gauge", "When the last garbage collection ended, in seconds since 1970.", last)
	pauses := family{name: "go_gc_duration_seconds", help: "Pauses of garbage collections.", kind: "summary"}
	b = pauses.begin(b)
	for i, p := range gc.PauseQuantiles {
		b = pauses.series(b, "", values{}, "quantile", number(float64(i)/4), p.Seconds())
	}
	b = pauses.series(b, "_sum", values{}, "", "", gc.PauseTotal.Seconds())
	return pauses.series(b, "_count", values{}, "", "", float64(gc.NumGC))
}

func single(b []byte, name, kind, help string, n float64) []byte {
	f := family{name: name, help: help, kind: kind}
	return f.series(f.begin(b), "", values{}, "", "", n)
}

// processMetrics are what Linux tells of this process. Other systems have no such files, and no such metrics.
type processMetrics struct{}

func (processMetrics) appendTo(b []byte) []byte {
	read := func(file string) []byte {
		text, _ := os.ReadFile(file)
		return text
	}
	if s, ok := parseStat(read("/proc/self/stat"), read("/proc/stat")); ok {
		b = single(b, "process_cpu_seconds_total", "counter", "Processor time of this process.", s.cpu)
		b = single(b, "process_resident_memory_bytes", "gauge", "Memory of this process that is in RAM.", s.resident*float64(os.Getpagesize()))
		b = single(b, "process_virtual_memory_bytes", "gauge", "Address space of this process.", s.virtual)
		b = single(b, "process_start_time_seconds", "gauge", "When this process began, in seconds since 1970.", s.began)
	}
	limits := read("/proc/self/limits")
	if n, ok := limit(limits, "Max open files"); ok {
		b = single(b, "process_max_fds", "gauge", "File descriptors that this process may have.", n)
	}
	if n, ok := limit(limits, "Max address space"); ok {
		b = single(b, "process_virtual_memory_max_bytes", "gauge", "Address space that this process may have.", n)
	}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		b = single(b, "process_open_fds", "gauge", "File descriptors that this process has.", float64(len(open)-1)) // one was for reading them
	}
	received, sent, ok := octets(read("/proc/self/net/netstat"))
	if ok {
		b = single(b, "process_network_receive_bytes_total", "counter", "Bytes that came over the network of this process.", received)
		b = single(b, "process_network_transmit_bytes_total", "counter", "Bytes that went over the network of this process.", sent)
	}
	return b
}

type stat struct{ cpu, began, virtual, resident float64 }

// parseStat reads a process' stat file and, for the time that its start counts from, the system's.
func parseStat(own, system []byte) (s stat, ok bool) {
	const ticks = 100 // a second, on every architecture that Go has for Linux
	end := bytes.LastIndexByte(own, ')')
	if end < 0 {
		return s, false
	}
	fields := strings.Fields(string(own[end+1:])) // from the third on: the second may hold anything
	if len(fields) < 22 {
		return s, false
	}
	field := func(n int) float64 {
		v, err := strconv.ParseFloat(fields[n-3], 64)
		ok = ok && err == nil
		return v
	}
	ok = true
	s = stat{cpu: (field(14) + field(15)) / ticks, began: field(22) / ticks, virtual: field(23), resident: field(24)}
	_, boot, found := strings.Cut(string(system), "\nbtime ")
	boot, _, _ = strings.Cut(boot, "\n")
	at, err := strconv.ParseFloat(boot, 64)
	s.began += at
	return s, ok && found && err == nil
}

// limit reads the soft limit of that name.
func limit(limits []byte, name string) (float64, bool) {
	_, rest, found := strings.Cut(string(limits), "\n"+name+" ")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, false
	}
	if fields[0] == "unlimited" {
		return math.MaxUint64, true
	}
	n, err := strconv.ParseFloat(fields[0], 64)
	return n, err == nil
}

// octets reads what the process' network received and sent: a line of names, then one of numbers.
func octets(netstat []byte) (received, sent float64, ok bool) {
	var names []string
	for line := range strings.Lines(string(netstat)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "IpExt:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i, name := range names[:min(len(names), len(fields))] {
			n, err := strconv.ParseFloat(fields[i], 64)
			switch {
			case err != nil:
			case name == "InOctets":
				received, ok = n, true
			case name == "OutOctets":
				sent = n
			}
		}
	}
	return received, sent, ok
}
