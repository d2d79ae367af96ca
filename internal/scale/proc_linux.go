package main

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// anonymous is the anonymous memory of this process that is resident: its own,
// without the pages of files that the system may drop. -1: not known.
func anonymous() int64 { return kilobytes("/proc/self/status", "RssAnon:") }

// written is how many bytes this process has caused to be written to disks,
// -1: not known.
func written() int64 { return number("/proc/self/io", "write_bytes:") }

func kilobytes(file, field string) int64 {
	if n := number(file, field); n >= 0 {
		return n << 10
	}
	return -1
}

func number(file, field string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return -1
	}
	for line := range bytes.Lines(text) {
		if words := strings.Fields(string(line)); len(words) > 1 && words[0] == field {
			if n, err := strconv.ParseInt(words[1], 10, 64); err == nil {
				return n
			}
		}
	}
	return -1
}

// dropCaches has the system forget what it keeps of files in memory. Only root
// may do that.
func dropCaches() bool {
	syscall.Sync()
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte("1"), 0) == nil
}

// machine describes processor, memory and system.
func machine() string {
	words := []string{}
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				words = append(words, strings.TrimSpace(value))
				break
			}
		}
	}
	if n := kilobytes("/proc/meminfo", "MemTotal:"); n > 0 {
		words = append(words, strconv.FormatInt(n>>30, 10)+" GiB of memory")
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		words = append(words, "Linux "+strings.TrimSpace(string(text)))
	}
	return strings.Join(words, ", ")
}
