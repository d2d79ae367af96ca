//go:build amd64 || arm64

package disktrace

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Run runs the command to its end and records what it does, threads and children
// included. That the command fails is no error of Run: see Recording.Failed. When
// the context ends, the command is killed, and its error is returned with what was
// recorded until then.
//
// A thread is stopped for some microseconds at each call that opens, writes, syncs
// or names something; other calls cost nothing. Run may be called concurrently; no
// two may share a folder.
func Run(ctx context.Context, c Command) (*Recording, error) {
	if len(c.Args) == 0 {
		return nil, errors.New("disktrace: no program")
	}
	folder, err := filepath.EvalSymlinks(c.Folder)
	if err == nil {
		folder, err = filepath.Abs(folder)
	}
	if err != nil {
		return nil, fmt.Errorf("disktrace: %w", err)
	}
	t := &tracer{
		command: c, folder: folder,
		names: map[string]int{}, inodes: map[inode]int{}, threads: map[int]*thread{},
		rec: &Recording{withoutData: c.WithoutData, numbers: map[string]int{}},
	}
	if err := t.readFolder(); err != nil {
		return nil, fmt.Errorf("disktrace: %w", err)
	}
	// All of what follows must come from the thread that started the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pipes, err := t.start()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { unix.Kill(t.pid, unix.SIGKILL) })
	err = t.follow()
	stop()
	pipes.Wait()
	if err == nil {
		err = ctx.Err()
	}
	return t.rec, err
}

type inode struct{ device, number uint64 }

// thread is one of the process that stands in a call.
type thread struct {
	op    *Op // nil: in none that is recorded
	call  int
	fault Fault
	regs  registers // at its beginning
}

type tracer struct {
	command Command
	folder  string
	pid     int
	stdout  inode

	names   map[string]int // path to file
	inodes  map[inode]int  // of the files that have a name or may be open
	paths   []string       // of files, by number
	links   []int          // how many names they have
	threads map[int]*thread
	rec     *Recording
	asked   int   // operations that the policy was asked about
	failed  error // the record is not to be trusted
}

// readFolder takes note of what there is.
func (t *tracer) readFolder() (err error) {
	if t.rec.Before, err = snapshot(t.folder, !t.command.WithoutData); err != nil {
		return err
	}
	for name := range t.rec.Before {
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(t.folder, name), &st); err != nil {
			return err
		}
		t.rec.numbers[name] = t.added(name, inode{st.Dev, st.Ino})
	}
	return nil
}

// added gives a new file its number. Hard links of before are one file.
func (t *tracer) added(name string, id inode) int {
	t.paths, t.links = append(t.paths, name), append(t.links, 1)
	t.names[name], t.inodes[id] = len(t.paths)-1, len(t.paths)-1
	return len(t.paths) - 1
}

// start starts the program, up to before its first instruction.
func (t *tracer) start() (*sync.WaitGroup, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fmt.Errorf("disktrace: %w", err)
	}
	defer null.Close()
	var pipes sync.WaitGroup
	files := []uintptr{null.Fd()}
	for i, to := range []io.Writer{t.command.Stdout, t.command.Stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, fmt.Errorf("disktrace: %w", err)
		}
		defer w.Close()
		if i == 0 {
			var st unix.Stat_t
			if err := unix.Fstat(int(w.Fd()), &st); err != nil {
				return nil, fmt.Errorf("disktrace: %w", err)
			}
			t.stdout = inode{st.Dev, st.Ino}
		}
		if to == nil {
			to = io.Discard
		}
		pipes.Go(func() {
			_, _ = io.Copy(to, r)
			r.Close()
		})
		files = append(files, w.Fd())
	}
	env := t.command.Env
	if env == nil {
		env = os.Environ()
	}
	pid, err := syscall.ForkExec(t.command.Args[0], t.command.Args, &syscall.ProcAttr{
		Dir: t.command.Dir, Env: env, Files: files, Sys: &syscall.SysProcAttr{Ptrace: true},
	})
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if err != nil {
		return nil, fmt.Errorf("disktrace: start %s: %w", t.command.Args[0], err)
	}
	t.pid = pid
	if err := t.prepare(); err != nil {
		unix.Kill(pid, unix.SIGKILL)
		_ = t.follow()
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if t.command.Started != nil {
		t.command.Started(pid)
	}
	if err := unix.PtraceCont(pid, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("disktrace: %w", err)
	}
	return &pipes, nil
}

// seccompEvent is what a thread stops by at a call that the filter picks.
const seccompEvent = 7

func (t *tracer) prepare() error {
	var status unix.WaitStatus
	if _, err := wait(t.pid, &status); err != nil {
		return err
	}
	if !status.Stopped() {
		return fmt.Errorf("it ended before it began: %v", status)
	}
	t.threads[t.pid] = &thread{}
	const traceSeccomp = 1 << seccompEvent
	options := unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK |
		unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_EXITKILL | traceSeccomp
	if err := unix.PtraceSetOptions(t.pid, options); err != nil {
		return err
	}
	return install(t.pid)
}

func wait(pid int, status *unix.WaitStatus) (int, error) {
	for {
		// Not the children of other threads, which others wait for.
		tid, err := unix.Wait4(pid, status, unix.WALL|unix.WNOTHREAD, nil)
		if !errors.Is(err, unix.EINTR) {
			return tid, err
		}
	}
}

// follow follows all threads until none is left.
func (t *tracer) follow() error {
	for {
		var status unix.WaitStatus
		tid, err := wait(-1, &status)
		if errors.Is(err, unix.ECHILD) {
			return t.failed
		}
		if err != nil {
			return fmt.Errorf("disktrace: wait: %w", err)
		}
		if !status.Stopped() {
			if tid == t.pid {
				t.rec.Status = syscall.WaitStatus(status)
			}
			delete(t.threads, tid)
			continue
		}
		if err := t.stopped(tid, status); err != nil && !errors.Is(err, unix.ESRCH) {
			// Not one that was killed: nothing that is recorded is right any more.
			t.fail(err)
		}
	}
}

// fail ends the command.
func (t *tracer) fail(err error) {
	if t.failed == nil {
		t.failed = fmt.Errorf("disktrace: %w", err)
	}
	unix.Kill(t.pid, unix.SIGKILL)
}

func (t *tracer) stopped(tid int, status unix.WaitStatus) error {
	th := t.threads[tid]
	isNew := th == nil
	if isNew {
		th = &thread{}
		t.threads[tid] = th
	}
	signal := status.StopSignal()
	switch {
	case signal == unix.SIGTRAP|0x80:
		if err := t.leave(tid, th); err != nil {
			return err
		}
		th.op = nil
		signal = 0
	case signal == unix.SIGTRAP && int(status)>>16 == seccompEvent:
		if err := t.enter(tid, th); err != nil {
			return err
		}
		signal = 0
	case signal == unix.SIGTRAP && int(status)>>16 != 0, isNew && signal == unix.SIGSTOP:
		signal = 0
	}
	if th.op != nil {
		return unix.PtraceSyscall(tid, int(signal))
	}
	return unix.PtraceCont(tid, int(signal))
}

// enter looks at a call that is about to be made.
func (t *tracer) enter(tid int, th *thread) error {
	if err := th.regs.get(tid); err != nil {
		return err
	}
	th.call = th.regs.call()
	op, err := t.read(tid, th)
	if err != nil || op == nil {
		return err
	}
	op.Number = t.asked
	t.asked++
	th.fault = Fault{}
	if t.command.Policy != nil {
		th.fault = t.command.Policy(op)
	}
	th.op = op
	changed := th.regs
	switch f := th.fault; {
	case f.Kill:
		unix.Kill(t.pid, unix.SIGKILL)
		return unix.ESRCH
	case f.Errno != 0:
		return changed.skip(tid)
	case f.Short > 0 && int64(f.Short) < op.Length && (th.call == unix.SYS_WRITE || th.call == unix.SYS_PWRITE64):
		changed.setArg(2, uint64(f.Short))
		return changed.set(tid)
	}
	return nil
}

// leave takes note of a call that was made.
func (t *tracer) leave(tid int, th *thread) error {
	op := th.op
	if op == nil {
		return nil
	}
	var now registers
	if err := now.get(tid); err != nil {
		return err
	}
	result := now.result()
	switch {
	case th.fault.Errno != 0:
		result = -int64(th.fault.Errno)
		now.setResult(result)
		if err := now.set(tid); err != nil {
			return err
		}
	case th.fault.Short > 0:
		now.setArg(2, th.regs.arg(2))
		if now.arg(0) != th.regs.arg(0) {
			now.setResult(result) // the first argument stands where the result does
		}
		if err := now.set(tid); err != nil {
			return err
		}
	}
	// From 512 on it is told the kernel alone, to make the call again.
	if result <= -512 {
		return nil
	}
	if result < 0 {
		op.Err = syscall.Errno(-result)
	} else if err := t.done(tid, th, result); err != nil {
		return err
	}
	if op.Err == 0 && (op.Kind == Open || op.Kind == Write && op.Length == 0) {
		return nil
	}
	t.rec.Ops = append(t.rec.Ops, *op)
	return nil
}

// read tells which operation a call is, nil when it is none of the folder.
func (t *tracer) read(tid int, th *thread) (*Op, error) {
	r := &th.regs
	here := int64(unix.AT_FDCWD)
	at := func(i int) int64 { return int64(int32(r.arg(i))) }
	fd := func(i int) int { return int(int32(r.arg(i))) }
	switch th.call {
	case unix.SYS_OPENAT:
		return t.opening(tid, at(0), r.arg(1), r.arg(2))
	case callOpen:
		return t.opening(tid, here, r.arg(0), r.arg(1))
	case callCreat:
		return t.opening(tid, here, r.arg(0), unix.O_CREAT|unix.O_WRONLY|unix.O_TRUNC)
	case unix.SYS_OPENAT2:
		how, err := memory(tid, r.arg(2), 8)
		if err != nil {
			return nil, err
		}
		return t.opening(tid, at(0), r.arg(1), binary.NativeEndian.Uint64(how))
	case unix.SYS_WRITE, unix.SYS_PWRITE64:
		return t.writing(tid, fd(0), int64(r.arg(2)), th)
	case unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_PWRITEV2:
		_, length, err := vectors(tid, r.arg(1), int(r.arg(2)))
		if err != nil {
			return nil, err
		}
		return t.writing(tid, fd(0), length, th)
	case unix.SYS_COPY_FILE_RANGE, unix.SYS_SPLICE:
		return t.writing(tid, fd(2), int64(r.arg(4)), th)
	case unix.SYS_SENDFILE:
		return t.writing(tid, fd(0), int64(r.arg(3)), th)
	case unix.SYS_FTRUNCATE:
		return t.ofFile(Truncate, tid, fd(0), int64(r.arg(1)))
	case unix.SYS_FALLOCATE:
		op, err := t.ofFile(Truncate, tid, fd(0), int64(r.arg(2)+r.arg(3)))
		if op != nil && r.arg(1) != 0 {
			return nil, fmt.Errorf("fallocate of %s with mode %d is not understood", op.Path, r.arg(1))
		}
		return op, err
	case unix.SYS_TRUNCATE:
		name, err := t.named(tid, here, r.arg(0), true)
		if file, ok := t.names[name]; ok && err == nil {
			return &Op{Kind: Truncate, Path: name, File: file, Length: int64(r.arg(1))}, nil
		}
		return nil, err
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		op, err := t.ofFile(Sync, tid, fd(0), 0)
		if op != nil {
			op.Began = len(t.rec.Ops)
		}
		return op, err
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		op, err := t.twoNames(Rename, tid, at(0), r.arg(1), at(2), r.arg(3))
		if op != nil && th.call == unix.SYS_RENAMEAT2 && r.arg(4)&^unix.RENAME_NOREPLACE != 0 {
			return nil, fmt.Errorf("renameat2 of %s with flags %d is not understood", op.Path, r.arg(4))
		}
		return op, err
	case callRename:
		return t.twoNames(Rename, tid, here, r.arg(0), here, r.arg(1))
	case unix.SYS_LINKAT:
		return t.twoNames(Link, tid, at(0), r.arg(1), at(2), r.arg(3))
	case callLink:
		return t.twoNames(Link, tid, here, r.arg(0), here, r.arg(1))
	case unix.SYS_UNLINKAT:
		kind := Unlink
		if r.arg(2)&unix.AT_REMOVEDIR != 0 {
			kind = Rmdir
		}
		return t.removing(kind, tid, at(0), r.arg(1))
	case callUnlink:
		return t.removing(Unlink, tid, here, r.arg(0))
	case callRmdir:
		return t.removing(Rmdir, tid, here, r.arg(0))
	case unix.SYS_MKDIRAT:
		return t.mkdir(tid, at(0), r.arg(1))
	case callMkdir:
		return t.mkdir(tid, here, r.arg(0))
	case unix.SYS_MMAP:
		file, ok := t.fileOf(tid, fd(4))
		if !ok {
			return nil, nil
		}
		for _, pattern := range t.command.Mapped {
			if ok, err := path.Match(pattern, path.Base(t.paths[file])); ok && err == nil {
				return nil, nil
			}
		}
		return nil, fmt.Errorf("%s is mapped for writing", t.paths[file])
	case unix.SYS_IO_URING_SETUP:
		return nil, errors.New("io_uring is not understood")
	}
	return nil, nil
}

// opening tells what an open changes.
func (t *tracer) opening(tid int, dir int64, name, flags uint64) (*Op, error) {
	const written = unix.O_WRONLY | unix.O_RDWR
	if flags&(written|unix.O_CREAT|unix.O_TRUNC) == 0 {
		return nil, nil
	}
	p, err := t.named(tid, dir, name, true)
	if err != nil || p == "" {
		return nil, err
	}
	if flags&unix.O_TMPFILE == unix.O_TMPFILE {
		return nil, fmt.Errorf("a file without a name in %s is not understood", p)
	}
	file, there := t.names[p]
	switch {
	case !there && flags&unix.O_CREAT == 0, there && flags&unix.O_EXCL != 0:
		return nil, nil // it fails by itself
	case !there:
		if _, ok := t.names[path.Dir(p)]; !ok {
			return nil, nil
		}
		return &Op{Kind: Create, Path: p, File: -1}, nil
	case flags&unix.O_TRUNC != 0:
		return &Op{Kind: Truncate, Path: p, File: file}, nil
	case flags&written != 0:
		return &Op{Kind: Open, Path: p, File: file}, nil
	}
	return nil, nil
}

// writing is a write to a file or to standard output.
func (t *tracer) writing(tid, fd int, length int64, th *thread) (*Op, error) {
	id, ok := inodeOf(tid, fd)
	if ok && id == t.stdout {
		return &Op{Kind: Stdout, File: -1, Length: length}, nil
	}
	file, ours := t.fileOf(tid, fd)
	if !ok || !ours {
		return nil, nil
	}
	at, err := t.offset(tid, fd, th, 0)
	if err != nil {
		return nil, err
	}
	return &Op{Kind: Write, Path: t.paths[file], File: file, Offset: at, Length: length}, nil
}

// offset is where a write begins that is to be made, or that has written so many
// bytes.
func (t *tracer) offset(tid, fd int, th *thread, wrote int64) (int64, error) {
	switch th.call {
	case unix.SYS_PWRITE64, unix.SYS_PWRITEV:
		return int64(th.regs.arg(3)), nil
	case unix.SYS_PWRITEV2:
		if at := int64(th.regs.arg(3)); at >= 0 {
			return at, nil
		}
	case unix.SYS_COPY_FILE_RANGE, unix.SYS_SPLICE:
		if pointer := th.regs.arg(3); pointer != 0 {
			b, err := memory(tid, pointer, 8)
			if err != nil {
				return 0, err
			}
			return int64(binary.NativeEndian.Uint64(b)) - wrote, nil
		}
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", tid, fd))
	if err != nil {
		return 0, err
	}
	var at, flags int64
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "pos":
			at, err = strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		case "flags":
			flags, err = strconv.ParseInt(strings.TrimSpace(value), 8, 64)
		}
		if err != nil {
			return 0, err
		}
	}
	if wrote == 0 && flags&unix.O_APPEND != 0 {
		info, err := os.Stat(descriptor(tid, fd))
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	return at - wrote, nil
}

func (t *tracer) ofFile(kind Kind, tid, fd int, length int64) (*Op, error) {
	file, ok := t.fileOf(tid, fd)
	if !ok {
		return nil, nil
	}
	return &Op{Kind: kind, Path: t.paths[file], File: file, Length: length}, nil
}

func (t *tracer) twoNames(kind Kind, tid int, dir int64, name uint64, toDir int64, to uint64) (*Op, error) {
	from, err := t.named(tid, dir, name, false)
	if err != nil {
		return nil, err
	}
	target, err := t.named(tid, toDir, to, false)
	if err != nil {
		return nil, err
	}
	file, there := t.names[from]
	switch {
	case from == "" && target == "":
		return nil, nil
	case (from == "") != (target == ""):
		return nil, fmt.Errorf("%s of %q to %q crosses the border of the folder", kind, from, target)
	case !there:
		return nil, nil // it fails by itself, or is neither file nor folder
	}
	return &Op{Kind: kind, Path: from, To: target, File: file}, nil
}

func (t *tracer) removing(kind Kind, tid int, dir int64, name uint64) (*Op, error) {
	p, err := t.named(tid, dir, name, false)
	file, there := t.names[p]
	if err != nil || !there {
		return nil, err
	}
	return &Op{Kind: kind, Path: p, File: file}, nil
}

func (t *tracer) mkdir(tid int, dir int64, name uint64) (*Op, error) {
	p, err := t.named(tid, dir, name, false)
	if _, there := t.names[p]; err != nil || p == "" || there {
		return nil, err
	}
	return &Op{Kind: Mkdir, Path: p, File: -1}, nil
}

// done completes an operation that was carried out.
func (t *tracer) done(tid int, th *thread, result int64) (err error) {
	op := th.op
	switch op.Kind {
	case Create:
		id, ok := inodeOf(tid, int(result))
		if !ok {
			return fmt.Errorf("%s was made and is gone", op.Path)
		}
		op.File = t.added(op.Path, id)
	case Mkdir:
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(t.folder, op.Path), &st); err != nil {
			return err
		}
		op.File = t.added(op.Path, inode{st.Dev, st.Ino})
	case Write, Stdout:
		op.Length = result
		return t.written(tid, th)
	case Rename:
		if t.names[op.To] == op.File && op.Path != op.To {
			if _, there := t.names[op.To]; there {
				return nil // two names of one file: nothing is done
			}
		}
		below := op.Path + "/"
		for name, file := range t.names {
			if rest, ok := strings.CutPrefix(name, below); ok {
				delete(t.names, name)
				t.names[op.To+"/"+rest], t.paths[file] = file, op.To+"/"+rest
			}
		}
		if replaced, there := t.names[op.To]; there {
			t.links[replaced]--
		}
		delete(t.names, op.Path)
		t.names[op.To], t.paths[op.File] = op.File, op.To
	case Link:
		t.names[op.To], t.paths[op.File] = op.File, op.To
		t.links[op.File]++
	case Unlink, Rmdir:
		delete(t.names, op.Path)
		t.links[op.File]--
	}
	return nil
}

// written takes a copy of what was written.
func (t *tracer) written(tid int, th *thread) (err error) {
	op, r := th.op, &th.regs
	fd := int(int32(r.arg(0)))
	if th.call == unix.SYS_COPY_FILE_RANGE || th.call == unix.SYS_SPLICE {
		fd = int(int32(r.arg(2)))
	}
	if op.Kind == Write {
		if op.Offset, err = t.offset(tid, fd, th, op.Length); err != nil {
			return err
		}
		if t.command.WithoutData {
			return nil
		}
	}
	switch th.call {
	case unix.SYS_WRITE, unix.SYS_PWRITE64:
		op.Data, err = memory(tid, r.arg(1), int(op.Length))
		return err
	case unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_PWRITEV2:
		parts, _, err := vectors(tid, r.arg(1), int(r.arg(2)))
		if err != nil {
			return err
		}
		for _, part := range parts {
			b, err := memory(tid, part.at, int(min(part.length, uint64(op.Length)-uint64(len(op.Data)))))
			if err != nil {
				return err
			}
			op.Data = append(op.Data, b...)
		}
		return nil
	}
	if op.Kind == Stdout {
		return errors.New("standard output is written from a file")
	}
	f, err := os.Open(descriptor(tid, fd))
	if err != nil {
		return err
	}
	defer f.Close()
	op.Data = make([]byte, op.Length)
	_, err = f.ReadAt(op.Data, op.Offset)
	return err
}

func descriptor(tid, fd int) string { return fmt.Sprintf("/proc/%d/fd/%d", tid, fd) }

func inodeOf(tid, fd int) (inode, bool) {
	var st unix.Stat_t
	if fd < 0 || unix.Stat(descriptor(tid, fd), &st) != nil {
		return inode{}, false
	}
	return inode{st.Dev, st.Ino}, true
}

func (t *tracer) fileOf(tid, fd int) (file int, ok bool) {
	id, ok := inodeOf(tid, fd)
	if !ok {
		return 0, false
	}
	file, ok = t.inodes[id]
	if ok && t.links[file] == 0 {
		// Its number may have gone to a file somewhere else.
		name, err := os.Readlink(descriptor(tid, fd))
		if base, deleted := strings.CutSuffix(name, " (deleted)"); err != nil || !deleted || t.below(base) == "" {
			return 0, false
		}
	}
	return file, ok
}

// named is a path that a call names, relative to the folder, and empty when it is
// not in it. With follow the last element may be a link.
func (t *tracer) named(tid int, dir int64, pointer uint64, follow bool) (string, error) {
	name, err := text(tid, pointer)
	if err != nil || name == "" {
		return "", err
	}
	if !filepath.IsAbs(name) {
		base := fmt.Sprintf("/proc/%d/cwd", tid)
		if dir != unix.AT_FDCWD {
			base = descriptor(tid, int(dir))
		}
		if base, err = os.Readlink(base); err != nil {
			return "", nil // the call fails by itself
		}
		name = filepath.Join(base, name)
	}
	name = filepath.Clean(name)
	if follow {
		if real, err := filepath.EvalSymlinks(name); err == nil {
			return t.below(real), nil
		}
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err != nil {
		return "", nil
	}
	return t.below(filepath.Join(parent, filepath.Base(name))), nil
}

func (t *tracer) below(name string) string {
	if name == t.folder {
		return "."
	}
	rest, ok := strings.CutPrefix(name, strings.TrimSuffix(t.folder, "/")+"/")
	if !ok {
		return ""
	}
	return rest
}

// memory reads the memory of a process.
func memory(tid int, at uint64, n int) ([]byte, error) {
	if n <= 0 {
		return []byte{}, nil
	}
	b := make([]byte, n)
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(n)
	got, err := unix.ProcessVMReadv(tid, local, []unix.RemoteIovec{{Base: uintptr(at), Len: n}}, 0)
	if err != nil {
		return nil, fmt.Errorf("read memory: %w", err)
	}
	if got < n {
		return nil, fmt.Errorf("read memory: %d bytes of %d", got, n)
	}
	return b, nil
}

// text reads a string that ends with a zero.
func text(tid int, at uint64) (string, error) {
	const page = 4096
	var all []byte
	for len(all) < 2*page {
		n := page - int(at%page) // no further than what is surely there
		b, err := memory(tid, at, n)
		if err != nil {
			if errors.Is(err, unix.EFAULT) {
				return "", nil // the call fails by itself
			}
			return "", err
		}
		if i := bytes.IndexByte(b, 0); i >= 0 {
			return string(append(all, b[:i]...)), nil
		}
		all = append(all, b...)
		at += uint64(n)
	}
	return "", nil
}

type vector struct{ at, length uint64 }

func vectors(tid int, at uint64, n int) (all []vector, length int64, err error) {
	b, err := memory(tid, at, 16*min(n, 1024))
	if err != nil {
		return nil, 0, err
	}
	for part := range slices.Chunk(b, 16) {
		v := vector{binary.NativeEndian.Uint64(part), binary.NativeEndian.Uint64(part[8:])}
		all = append(all, v)
		length += int64(v.length)
	}
	return all, length, nil
}
