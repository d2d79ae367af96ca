package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// ownSystem has a command run in namespaces of its own: as their root, with a
// network that nobody else has and mounts that nobody else sees.
func ownSystem(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
}

// dieWithUs has a command end when the thread that starts it does.
func dieWithUs(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// setLoopback has the loopback device of our own network up or down.
func setLoopback(up bool) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, request); err != nil {
		return err
	}
	flags := request.Uint16() &^ unix.IFF_UP
	if up {
		flags |= unix.IFF_UP
	}
	request.SetUint16(flags)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

// mountDisk mounts a disk in memory that grows with what is on it, until it is
// told to be full.
func mountDisk(t *testing.T, dir string, size int64) error {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprint("size=", size)); err != nil {
		return err
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return nil
}

// resizeDisk has the disk take so many bytes in all.
func resizeDisk(dir string, size int64) error {
	return unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, fmt.Sprint("size=", size))
}

// fillDisk leaves no more than a few pages free on the disk.
func fillDisk(dir string) error {
	for try := 0; ; try++ {
		var s unix.Statfs_t
		if err := unix.Statfs(dir, &s); err != nil {
			return err
		}
		used := int64(s.Blocks-s.Bfree) + 2
		// It is not made smaller than what is on it, which may have grown.
		if err := resizeDisk(dir, used*s.Bsize); err == nil || try == 100 {
			return err
		}
	}
}

// limitFiles has a process write no file beyond the size.
func limitFiles(pid int, size int64) error {
	limit := unix.Rlimit{Cur: uint64(size), Max: unix.RLIM_INFINITY}
	return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &limit, nil)
}

// memoryFree is how much memory the machine can give, in bytes.
func memoryFree() int64 { return procKilobytes("/proc/meminfo", "MemAvailable:") << 10 }

// footprintOf tells what a process takes.
func footprintOf(pid int) (s footprint, ok bool) {
	folder := fmt.Sprintf("/proc/%d/", pid)
	fds, err := os.ReadDir(folder + "fd")
	if err != nil {
		return s, false
	}
	s.descriptors = len(fds)
	s.resident = procKilobytes(folder+"status", "VmRSS:") << 10
	s.anonymous = procKilobytes(folder+"status", "RssAnon:") << 10
	s.threads = int(procKilobytes(folder+"status", "Threads:"))
	return s, s.resident > 0
}

// procKilobytes is the number in a line of a file of /proc.
func procKilobytes(file, field string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if words := strings.Fields(string(line)); len(words) > 1 && words[0] == field {
			n, _ := strconv.ParseInt(words[1], 10, 64)
			return n
		}
	}
	return 0
}

// hasPeer tells whether the other side still holds the connection.
func (w *wire) hasPeer() bool {
	raw, err := w.SyscallConn()
	if err != nil {
		return false
	}
	isOpen := false
	err = raw.Control(func(fd uintptr) {
		const established = 1
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		isOpen = err == nil && info.State == established
	})
	return err == nil && isOpen
}
