//go:build !linux

package main

import "time"

func cpuTime() time.Duration { return 0 }

func anonymous() int64 { return -1 }

func written() int64 { return -1 }

func dropCaches() bool { return false }

func machine() string { return "" }
