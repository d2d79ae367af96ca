// Package disktrace records what a process does to the files of a folder, can
// have any of these operations fail, and works out which states of the folder a
// power cut may leave.
//
// [Run] runs a command under ptrace, as a debugger would, and notes every change
// that it makes below one folder, and every sync. A policy is asked before each,
// and may have it fail with an error of the operating system, cut a write short,
// or kill the process at that very place. The command is the real one, and knows
// nothing of it.
//
// [Recording.Cuts] takes the record and plays a disk that loses its power between
// two operations: see there for what such a disk may do.
//
// It works on Linux, amd64 and arm64; elsewhere Run returns [ErrUnsupported]. What
// a process writes through a shared mapping is not seen: Run fails when a file of
// the folder is mapped so, unless its name is among Command.Mapped.
package disktrace

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// ErrUnsupported is the error of Run where processes cannot be traced: another
// system, or one that forbids it.
var ErrUnsupported = errors.New("processes cannot be traced here")

// Kind is what an operation does.
type Kind uint8

// The kinds of operations. What each of them says in an Op is told beside it.
const (
	Open     Kind = iota + 1 // opens a file that is there for writing; changes nothing
	Create                   // makes an empty file
	Mkdir                    // makes a folder
	Write                    // Offset, Length, Data: also of writes that the kernel does from another file
	Truncate                 // Length: the new size, more or less than the old one
	Sync                     // of the data of a file, or of the names in a folder; Began
	Rename                   // Path becomes To, which is replaced if it is there
	Link                     // To becomes a second name of Path
	Unlink                   // removes the name of a file
	Rmdir                    // removes the name of a folder
	Stdout                   // Data is written to the standard output of the command
)

var kindNames = [...]string{"", "open", "create", "mkdir", "write", "truncate", "sync", "rename", "link", "unlink", "rmdir", "stdout"}

func (k Kind) String() string {
	if int(k) < len(kindNames) && k > 0 {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Op is an operation.
type Op struct {
	Kind Kind
	// Number counts the operations that the policy was asked about, from 0 on in
	// the order in which they began; also those that failed.
	Number int
	// Path is relative to the folder, with slashes, "." for itself; empty for
	// Stdout. A file that has lost its name keeps the last one.
	Path string
	// To is the other name of Rename and Link.
	To string
	// File tells files apart whatever they are called: those that were there
	// before are the first, in no order.
	File int
	// Offset is where a Write begins. Before it is carried out, it is where it
	// would.
	Offset int64
	// Length is how many bytes are written, or the size that a file is given.
	Length int64
	// Data is what was written. Nil when the policy is asked.
	Data []byte
	// Began is how many entries the record had when a Sync began. What came after
	// may have missed it.
	Began int
	// Err is 0 for what was done.
	Err syscall.Errno
}

func (o *Op) String() string {
	s := o.Kind.String() + " " + o.Path
	switch o.Kind {
	case Rename, Link:
		s += " to " + o.To
	case Write:
		s += fmt.Sprintf(" at %d, %d bytes", o.Offset, o.Length)
	case Truncate:
		s += fmt.Sprintf(" to %d bytes", o.Length)
	case Stdout:
		s += fmt.Sprintf("%q", o.Data)
	}
	if o.Err != 0 {
		s += ": " + o.Err.Error()
	}
	return s
}

// Fault is what becomes of an operation. The zero value has it carried out.
type Fault struct {
	// Errno, when it is not 0, is the error that it ends with; nothing is done.
	Errno syscall.Errno
	// Short, when it is more than 0, is how many bytes of a Write are written at
	// most. Writes of several buffers and those that the kernel does from another
	// file are not cut short.
	Short int
	// Kill ends the process with SIGKILL before the operation.
	Kill bool
}

// Command is what is run.
type Command struct {
	Args []string // the program, with its path, and its arguments
	Env  []string // nil: that of this process
	Dir  string   // where it runs; empty: here
	// Folder is where operations are recorded: all below it, at any depth. It must
	// be there, and nobody else may change anything in it meanwhile.
	Folder string
	// Stdout and Stderr get what the command says; nil: nobody does.
	Stdout, Stderr io.Writer
	// Policy, unless nil, is asked before each operation, one at a time. It must
	// not keep the Op. It is asked again when the program tries again.
	Policy func(*Op) Fault
	// Started, unless nil, is called once with the number of the process before
	// the program does anything.
	Started func(pid int)
	// Mapped are names of files (patterns of path.Match for the last element) that
	// may be mapped for writing, as what is in them does not matter.
	Mapped []string
	// WithoutData keeps no copy of what is written. There are no Cuts then.
	WithoutData bool
}

// Recording is what a command did.
type Recording struct {
	// Before is what the folder held: the content of files by their path, nil for
	// folders.
	Before map[string][]byte
	// Ops are the operations in the order in which they ended.
	Ops []Op
	// Status is how the command ended.
	Status syscall.WaitStatus

	withoutData bool
	numbers     map[string]int // of the files of Before
}

// Failed tells how the command ended, nil when it did so with the exit code 0.
func (r *Recording) Failed() error {
	switch {
	case r.Status.Exited() && r.Status.ExitStatus() == 0:
		return nil
	case r.Status.Signaled():
		return fmt.Errorf("killed by signal %d: %v", r.Status.Signal(), r.Status.Signal())
	}
	return fmt.Errorf("exit code %d", r.Status.ExitStatus())
}

// Count is how many operations of a kind were done.
func (r *Recording) Count(kind Kind) (n int) {
	for i := range r.Ops {
		if r.Ops[i].Kind == kind && r.Ops[i].Err == 0 {
			n++
		}
	}
	return n
}

// snapshot reads all files below a folder.
func snapshot(folder string, withData bool) (map[string][]byte, error) {
	all := map[string][]byte{}
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		switch {
		case d.IsDir():
			all[name] = nil
		case !d.Type().IsRegular():
		case withData:
			if all[name], err = os.ReadFile(path); err != nil {
				return err
			}
			if all[name] == nil {
				all[name] = []byte{}
			}
		default:
			all[name] = []byte{}
		}
		return nil
	})
	return all, err
}
