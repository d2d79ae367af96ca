package disktrace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// The command that is traced is the test binary itself.
const playing = "DISKTRACE_PLAY"

func TestMain(m *testing.M) {
	if part := os.Getenv(playing); part != "" {
		if err := parts[part](); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// play runs a part in the folder.
func play(t *testing.T, part, folder string, policy func(*Op) Fault) (*Recording, string) {
	t.Helper()
	var out, talk bytes.Buffer
	rec, err := Run(t.Context(), Command{
		Args: []string{os.Args[0]}, Env: append(os.Environ(), playing+"="+part), Dir: folder,
		Folder: folder, Stdout: &out, Stderr: &talk, Policy: policy,
	})
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return rec, out.String() + talk.String()
}

func must(errs ...error) error {
	return errors.Join(errs...)
}

var parts = map[string]func() error{
	"everything": func() error {
		f, err := os.Create("a")
		if err != nil {
			return err
		}
		_, e1 := f.WriteString("hello ")
		_, e2 := f.WriteString("world")
		_, e3 := f.WriteAt([]byte("HE"), 0)
		e4 := must(f.Sync(), f.Truncate(8), syscall.Fdatasync(int(f.Fd())), os.Mkdir("d", 0o755), os.Rename("a", "d/b"))
		fmt.Println("ack 1")
		e5 := must(os.Link("d/b", "c"), os.Remove("d/b"), os.Rename("d", "e"), os.WriteFile("e/x", []byte("1"), 0o600), os.Remove("e/x"), os.Remove("e"))
		_, e6 := f.WriteString("!") // has the name c by now
		g, err := os.OpenFile("log", os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, e7 := g.WriteString("more")
		h, err := os.OpenFile("copy", os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		from, err := os.Open("log")
		if err != nil {
			return err
		}
		_, e8 := io.Copy(h, from) // by the kernel
		d, err := os.Open(".")
		if err != nil {
			return err
		}
		e9 := d.Sync()
		e10 := os.WriteFile("log", []byte("new"), 0) // truncates
		_, err = os.OpenFile("missing", os.O_RDWR, 0)
		if err == nil {
			return errors.New("missing is there")
		}
		// Elsewhere nothing is seen.
		dir, err := os.MkdirTemp("", "")
		if err != nil {
			return err
		}
		return must(e1, e2, e3, e4, e5, e6, e7, e8, e9, e10, os.WriteFile(filepath.Join(dir, "x"), nil, 0o600), os.RemoveAll(dir))
	},
	"threads": func() error {
		var all sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			all.Go(func() {
				f, err := os.Create(fmt.Sprint(i))
				for n := 0; n < 100 && err == nil; n++ {
					_, err = fmt.Fprintf(f, "line %d\n", n)
				}
				errs[i] = err
			})
		}
		all.Wait()
		return must(errs...)
	},
	"long write": func() error {
		f, err := os.Create("f")
		if err != nil {
			return err
		}
		n, err := f.Write(make([]byte, 1000))
		fmt.Println(n, errors.Is(err, syscall.ENOSPC))
		fmt.Println(errors.Is(f.Sync(), syscall.EIO))
		fmt.Println(errors.Is(os.Rename("f", "g"), syscall.EROFS))
		return f.Close()
	},
}

func TestRunSeesEveryChange(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "log"), []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rec, talk := play(t, "everything", dir, nil)
	if err := rec.Failed(); err != nil || talk != "ack 1\n" {
		t.Fatalf("%v: %s", err, talk)
	}
	var got []string
	for i := range rec.Ops {
		op := &rec.Ops[i]
		s := op.String()
		if op.Kind == Write {
			s += fmt.Sprintf(" %q", op.Data)
		}
		got = append(got, s)
	}
	want := []string{
		`create a`,
		`write a at 0, 6 bytes "hello "`,
		`write a at 6, 5 bytes "world"`,
		`write a at 0, 2 bytes "HE"`,
		`sync a`,
		`truncate a to 8 bytes`,
		`sync a`,
		`mkdir d`,
		`rename a to d/b`,
		`stdout "ack 1\n"`,
		`link d/b to c`,
		`unlink d/b`,
		`rename d to e`,
		`create e/x`,
		`write e/x at 0, 1 bytes "1"`,
		`unlink e/x`,
		`unlink e: is a directory`,
		`rmdir e`,
		`write c at 11, 1 bytes "!"`,
		`write log at 4, 4 bytes "more"`,
		`create copy`,
		`write copy at 0, 8 bytes "old\nmore"`,
		`sync .`,
		`truncate log to 0 bytes`,
		`write log at 0, 3 bytes "new"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if string(rec.Before["log"]) != "old\n" || len(rec.Before) != 2 {
		t.Errorf("before: %v", rec.Before)
	}
}

func TestRunFollowsAllThreads(t *testing.T) {
	dir := t.TempDir()
	rec, _ := play(t, "threads", dir, nil)
	if err := rec.Failed(); err != nil {
		t.Fatal(err)
	}
	if n, m := rec.Count(Create), rec.Count(Write); n != 8 || m != 800 {
		t.Errorf("%d files, %d writes", n, m)
	}
	said := map[int][]byte{}
	for _, op := range rec.Ops {
		said[op.File] = append(said[op.File], op.Data...)
	}
	for _, op := range rec.Ops {
		if op.Kind != Create {
			continue
		}
		if b, err := os.ReadFile(filepath.Join(dir, op.Path)); err != nil || !bytes.Equal(b, said[op.File]) {
			t.Errorf("%s holds %q, recorded is %q (%v)", op.Path, b, said[op.File], err)
		}
	}
}

func TestPolicyFailsWhatItWants(t *testing.T) {
	dir := t.TempDir()
	writes := 0
	rec, talk := play(t, "long write", dir, func(op *Op) Fault {
		switch op.Kind {
		case Write:
			writes++
			if writes == 1 {
				return Fault{Short: 300}
			}
			return Fault{Errno: syscall.ENOSPC}
		case Sync:
			return Fault{Errno: syscall.EIO}
		case Rename:
			return Fault{Errno: syscall.EROFS}
		}
		return Fault{}
	})
	if err := rec.Failed(); err != nil || talk != "300 true\ntrue\ntrue\n" {
		t.Errorf("%v: %q", err, talk)
	}
	if info, err := os.Stat(filepath.Join(dir, "f")); err != nil || info.Size() != 300 {
		t.Errorf("%v, %v", info, err)
	}
	if n := rec.Count(Sync) + rec.Count(Rename); n != 0 {
		t.Errorf("%d of the operations that failed count as done", n)
	}
}

func TestPolicyKillsAtTheVeryPlace(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "log"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	rec, talk := play(t, "everything", dir, func(op *Op) Fault { return Fault{Kill: op.Kind == Rename} })
	if !rec.Status.Signaled() || rec.Status.Signal() != syscall.SIGKILL {
		t.Errorf("%v: %s", rec.Failed(), talk)
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); err != nil {
		t.Errorf("the rename was done: %v", err)
	}
}

func TestRunEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	rec, err := Run(ctx, Command{Args: []string{"/bin/sleep", "100"}, Folder: t.TempDir(), Started: func(int) { cancel() }})
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	if !errors.Is(err, context.Canceled) || !rec.Status.Signaled() {
		t.Errorf("%v", err)
	}
}

func TestPlayGivesWhatIsThere(t *testing.T) {
	for _, part := range []string{"everything", "threads"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "log"), []byte("old\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		rec, _ := play(t, part, dir, nil)
		want, err := snapshot(dir, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := rec.Play(); !maps.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%s: got %q\nwant %q", part, got, want)
		}
		cuts := 0
		again := filepath.Join(t.TempDir(), "again")
		for cut := range rec.Cuts(CutOptions{Most: 20, Random: 2}) {
			cuts++
			if err := cut.Write(again); err != nil {
				t.Fatal(err)
			}
			if got, err := snapshot(again, true); err != nil || !maps.EqualFunc(got, cut.Files, bytes.Equal) {
				t.Fatalf("%v: written is %q, not %q (%v)", cut, got, cut.Files, err)
			}
		}
		if cuts < 20 {
			t.Errorf("%s: %d cuts", part, cuts)
		}
	}
}
