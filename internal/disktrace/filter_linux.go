//go:build amd64 || arm64

package disktrace

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// traced are the system calls that a thread is stopped at. All others run at
// their usual speed.
var traced = []int{
	unix.SYS_OPENAT, unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_PWRITEV2,
	unix.SYS_TRUNCATE, unix.SYS_FTRUNCATE, unix.SYS_FALLOCATE, unix.SYS_FSYNC, unix.SYS_FDATASYNC,
	unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_LINKAT, unix.SYS_UNLINKAT, unix.SYS_MKDIRAT,
	unix.SYS_COPY_FILE_RANGE, unix.SYS_SENDFILE, unix.SYS_SPLICE, unix.SYS_MMAP, unix.SYS_OPENAT2, unix.SYS_IO_URING_SETUP,
	callOpen, callCreat, callRename, callLink, callUnlink, callMkdir, callRmdir,
}

// filter is the program by which the kernel picks them.
func filter() []unix.SockFilter {
	const (
		load   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		masked = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
		end    = unix.BPF_RET | unix.BPF_K
		// Offsets in struct seccomp_data, little-endian.
		number, protection, flags = 0, 16 + 2*8, 16 + 3*8
	)
	p := []unix.SockFilter{{Code: load, K: number}}
	for _, call := range traced {
		if call < 0 || call == unix.SYS_MMAP {
			continue
		}
		p = append(p, unix.SockFilter{Code: equal, K: uint32(call), Jf: 1}, unix.SockFilter{Code: end, K: unix.SECCOMP_RET_TRACE})
	}
	// A mapping that is shared and can be written.
	return append(
		p,
		unix.SockFilter{Code: equal, K: unix.SYS_MMAP, Jf: 7},
		unix.SockFilter{Code: load, K: protection},
		unix.SockFilter{Code: masked, K: unix.PROT_WRITE},
		unix.SockFilter{Code: equal, K: 0, Jt: 4},
		unix.SockFilter{Code: load, K: flags},
		unix.SockFilter{Code: masked, K: unix.MAP_SHARED | unix.MAP_ANONYMOUS},
		unix.SockFilter{Code: equal, K: unix.MAP_SHARED, Jf: 1},
		unix.SockFilter{Code: end, K: unix.SECCOMP_RET_TRACE},
		unix.SockFilter{Code: end, K: unix.SECCOMP_RET_ALLOW},
	)
}

// install has a process, which has just been made to run a program and stands
// before its first instruction, put itself under the filter.
func install(pid int) error {
	var before registers
	if err := before.get(pid); err != nil {
		return fmt.Errorf("read registers: %w", err)
	}
	program := filter()
	at := (before.stack() - 64<<10) &^ 15
	mem := make([]byte, 16, 16+8*len(program))
	binary.LittleEndian.PutUint16(mem, uint16(len(program)))
	binary.LittleEndian.PutUint64(mem[8:], at+16)
	for _, step := range program {
		mem = binary.LittleEndian.AppendUint16(mem, step.Code)
		mem = append(mem, step.Jt, step.Jf)
		mem = binary.LittleEndian.AppendUint32(mem, step.K)
	}
	if _, err := unix.PtracePokeData(pid, uintptr(at), mem); err != nil {
		return fmt.Errorf("write the filter: %w", err)
	}
	code := make([]byte, len(trap))
	if _, err := unix.PtracePeekText(pid, before.counter(), code); err != nil {
		return fmt.Errorf("read the program: %w", err)
	}
	if _, err := unix.PtracePokeText(pid, before.counter(), trap); err != nil {
		return fmt.Errorf("write the program: %w", err)
	}
	call := func(number uint, args ...uint64) error {
		r := before
		r.prepare(number)
		for i := range 6 {
			r.setArg(i, 0)
		}
		for i, arg := range args {
			r.setArg(i, arg)
		}
		if err := r.set(pid); err != nil {
			return err
		}
		if err := unix.PtraceSingleStep(pid); err != nil {
			return err
		}
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil {
			return err
		}
		if !status.Stopped() || status.StopSignal() != unix.SIGTRAP {
			return fmt.Errorf("stopped by %v", status.StopSignal())
		}
		if err := r.get(pid); err != nil {
			return err
		}
		if n := r.result(); n < 0 {
			return unix.Errno(-n)
		}
		return nil
	}
	const setModeFilter = 1
	err := call(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1)
	if err == nil {
		err = call(unix.SYS_SECCOMP, setModeFilter, 0, at)
	}
	if err != nil {
		return fmt.Errorf("install the filter: %w", err)
	}
	_, err = unix.PtracePokeText(pid, before.counter(), code)
	return errors.Join(err, before.set(pid))
}
