package disktrace

import "golang.org/x/sys/unix"

// registers are those of a thread that stands before or after a system call.
type registers struct{ unix.PtraceRegs }

// trap is the instruction of a system call.
var trap = []byte{0x0f, 0x05}

func (r *registers) get(tid int) error { return unix.PtraceGetRegs(tid, &r.PtraceRegs) }
func (r *registers) set(tid int) error { return unix.PtraceSetRegs(tid, &r.PtraceRegs) }

func (r *registers) call() int { return int(r.Orig_rax) }

func (r *registers) arg(i int) uint64 {
	return [...]uint64{r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9}[i]
}

func (r *registers) setArg(i int, v uint64) {
	*[...]*uint64{&r.Rdi, &r.Rsi, &r.Rdx, &r.R10, &r.R8, &r.R9}[i] = v
}

func (r *registers) result() int64       { return int64(r.Rax) }
func (r *registers) setResult(v int64)   { r.Rax = uint64(v) }
func (r *registers) counter() uintptr    { return uintptr(r.Rip) }
func (r *registers) stack() uint64       { return r.Rsp }
func (r *registers) skip(tid int) error  { r.Orig_rax = ^uint64(0); return r.set(tid) }
func (r *registers) prepare(number uint) { r.Rax, r.Orig_rax = uint64(number), ^uint64(0) }

// Calls that only this architecture has.
const (
	callOpen   = unix.SYS_OPEN
	callCreat  = unix.SYS_CREAT
	callRename = unix.SYS_RENAME
	callLink   = unix.SYS_LINK
	callUnlink = unix.SYS_UNLINK
	callMkdir  = unix.SYS_MKDIR
	callRmdir  = unix.SYS_RMDIR
)
