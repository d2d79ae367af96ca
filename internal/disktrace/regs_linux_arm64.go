package disktrace

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// registers are those of a thread that stands before or after a system call.
type registers struct{ unix.PtraceRegsArm64 }

// trap is the instruction of a system call.
var trap = []byte{0x01, 0x00, 0x00, 0xd4}

const (
	regsGeneral = 1     // NT_PRSTATUS
	regsCall    = 0x404 // NT_ARM_SYSTEM_CALL
)

func (r *registers) get(tid int) error {
	return unix.PtraceGetRegSetArm64(tid, regsGeneral, &r.PtraceRegsArm64)
}

func (r *registers) set(tid int) error {
	return unix.PtraceSetRegSetArm64(tid, regsGeneral, &r.PtraceRegsArm64)
}

func (r *registers) call() int              { return int(r.Regs[8]) }
func (r *registers) arg(i int) uint64       { return r.Regs[i] }
func (r *registers) setArg(i int, v uint64) { r.Regs[i] = v }
func (r *registers) result() int64          { return int64(r.Regs[0]) }
func (r *registers) setResult(v int64)      { r.Regs[0] = uint64(v) }
func (r *registers) counter() uintptr       { return uintptr(r.Pc) }
func (r *registers) stack() uint64          { return r.Sp }
func (r *registers) prepare(number uint)    { r.Regs[8] = uint64(number) }

// skip has the system call not be carried out.
func (r *registers) skip(tid int) error {
	none := int32(-1)
	vector := unix.Iovec{Base: (*byte)(unsafe.Pointer(&none)), Len: 4}
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SETREGSET, uintptr(tid), regsCall, uintptr(unsafe.Pointer(&vector)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// Calls that this architecture has not.
const (
	callOpen = -2 - iota
	callCreat
	callRename
	callLink
	callUnlink
	callMkdir
	callRmdir
)
