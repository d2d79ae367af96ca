//go:build unix

package control

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"pawl/crawl"
)

// answers tells whether the crawl of a file can be spoken to.
func answers(t *testing.T, file, dir string) {
	t.Helper()
	c, err := Dial(t.Context(), file, dir)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func talking() *fake {
	return &fake{status: func(context.Context) (*crawl.Status, error) { return standing(), nil }}
}

func TestSocketIsTheUsersAlone(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	r := served(t, talking())
	if r.l.Path() != r.file+".sock" {
		t.Errorf("it is at %s", r.l.Path())
	}
	info, err := os.Lstat(r.l.Path())
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(r.file))
	if err != nil || len(entries) != 2 {
		t.Errorf("beside the file there is %v, %v", entries, err)
	}
}

func TestSocketGoesWithTheServer(t *testing.T) {
	r := served(t, talking())
	c := r.client()
	if err := r.end(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(r.l.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if _, err := Dial(t.Context(), r.file, r.dir); !errors.Is(err, ErrNoSocket) {
		t.Errorf("Dial: %v", err)
	}
	if _, err := c.Status(t.Context()); !errors.Is(err, ErrNoSocket) {
		t.Errorf("Status: %v", err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	for name, path := range map[string]string{"beside": "crawl.pawl", "apart": strings.Repeat("long/", 30) + "crawl.pawl"} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			file := crawlFile(t, filepath.Join(dir, path))
			l, err := Listen(file, dir)
			if err != nil {
				t.Fatal(err)
			}
			l.l.Close() // as a kill does: the socket stays
			if _, err := os.Lstat(l.Path()); err != nil {
				t.Fatal(err)
			}
			if _, err := Dial(t.Context(), file, dir); !errors.Is(err, ErrNoSocket) {
				t.Errorf("Dial: %v", err)
			}
			// And one that was killed while it made the socket.
			if name == "beside" {
				left, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(mkdir(t, file+".sock.new", 0o700), "s")})
				if err != nil {
					t.Fatal(err)
				}
				left.SetUnlinkOnClose(false)
				left.Close()
			}
			r := servedAt(t, file, dir, talking())
			if r.l.Path() != l.Path() {
				t.Errorf("it is at %s, not %s", r.l.Path(), l.Path())
			}
			answers(t, file, dir)
		})
	}
}

func mkdir(t *testing.T, path string, mode fs.FileMode) string {
	t.Helper()
	if err := os.Mkdir(path, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// Whoever holds the lock of the file takes the place of the one before, who leaves
// the new socket alone.
func TestLastOneServes(t *testing.T) {
	first := served(t, talking())
	second := servedAt(t, first.file, first.dir, talking(), func(_ *Listener, o *Options) { o.PID = 2 })
	if err := first.end(); err != nil {
		t.Error(err)
	}
	if pid := second.client().Hello().PID; pid != 2 {
		t.Errorf("process %d answers", pid)
	}
}

// Nor is anything that has the name of the folder in which the socket is made.
func TestNothingIsRemovedByMistake(t *testing.T) {
	for name, put := range map[string]func(t *testing.T, path, mine string){
		"file": func(t *testing.T, path, _ string) { crawlFile(t, path) },
		"link to a folder": func(t *testing.T, path, mine string) {
			if err := os.Symlink(filepath.Dir(mine), path); err != nil {
				t.Fatal(err)
			}
		},
		"folder that is used": func(t *testing.T, path, _ string) { crawlFile(t, filepath.Join(path, "mine")) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			file := crawlFile(t, filepath.Join(dir, "crawl.pawl"))
			mine := crawlFile(t, filepath.Join(dir, "mine", "s"))
			put(t, file+".sock.new", mine)
			r := servedAt(t, file, dir, talking())
			answers(t, file, dir)
			if r.l.Path() == file+".sock" {
				t.Error("it is beside the file")
			}
			for _, path := range []string{mine, file + ".sock.new"} {
				if _, err := os.Lstat(path); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Files that happen to have the name of the socket are left as they are.
func TestFilesAreNotReplaced(t *testing.T) {
	dir := folder(t)
	for name, make := range map[string]func(path string) error{
		"file":    func(p string) error { return os.WriteFile(p, []byte("mine"), 0o600) },
		"folder":  func(p string) error { return os.Mkdir(p, 0o700) },
		"symlink": func(p string) error { return os.Symlink("crawl.pawl", p) },
		"pipe":    func(p string) error { return syscall.Mkfifo(p, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			file := crawlFile(t, filepath.Join(dir, name+".pawl"))
			if err := make(file + ".sock"); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(file + ".sock")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Dial(t.Context(), file, dir); !errors.Is(err, ErrNoSocket) {
				t.Errorf("Dial: %v", err)
			}
			r := servedAt(t, file, dir, talking())
			answers(t, file, dir)
			if !strings.HasPrefix(r.l.Path(), filepath.Join(dir, folderName())) {
				t.Errorf("it is at %s", r.l.Path())
			}
			if _, err := Listen(file, ""); err == nil {
				t.Error("nothing was in the way")
			}
			if err := r.end(); err != nil {
				t.Error(err)
			}
			after, err := os.Lstat(file + ".sock")
			if err != nil || !os.SameFile(before, after) || before.Mode() != after.Mode() {
				t.Errorf("%v became %v, %v", before, after, err)
			}
		})
	}
}

func TestLongPathsUseTheUsersFolder(t *testing.T) {
	dir := folder(t)
	tests := []struct {
		name string
		path string
	}{
		{"short", "crawl.pawl"},
		{"too long", strings.Repeat("x", 200) + "/crawl.pawl"},
		{"a name too long for a socket beside", strings.Repeat("x", 253)},
		{"too long to make", strings.Repeat("x", 93-len(dir)) + "/crawl"},
	}
	// All lengths about the limit, whatever it is.
	for n := len(dir) + 10; n < 110; n++ {
		tests = append(tests, struct{ name, path string }{"length", strings.Repeat("y", n-len(dir))})
	}
	for _, tt := range tests {
		file := crawlFile(t, filepath.Join(dir, tt.path))
		l, err := Listen(file, dir)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		c, err := net.Dial("unix", l.Path())
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else {
			c.Close()
		}
		if beside := l.Path() == file+".sock"; beside && len(l.Path()) > 107 || !beside && len(file) < 90 {
			t.Errorf("%s: %s is at %s", tt.name, file, l.Path())
		}
		l.Close()
	}
	file := crawlFile(t, filepath.Join(dir, strings.Repeat("z", 200), "crawl.pawl"))
	servedAt(t, file, dir, talking())
	answers(t, file, dir)
	if info, err := os.Lstat(filepath.Join(dir, folderName())); err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := Listen(file, ""); err == nil {
		t.Error("a path that is too long was taken")
	}
	if _, err := Dial(t.Context(), file, ""); !errors.Is(err, ErrNoSocket) {
		t.Errorf("Dial: %v", err)
	}
}

// A folder that others could have made, or can change, is not the user's.
func TestFoldersOfOthersAreRefused(t *testing.T) {
	for name, put := range map[string]func(t *testing.T, path string){
		"open to the group": func(t *testing.T, p string) { mkdir(t, p, 0o750) },
		"open to all":       func(t *testing.T, p string) { mkdir(t, p, 0o777) },
		"a symlink": func(t *testing.T, p string) {
			mkdir(t, p+"-there", 0o700)
			if err := os.Symlink(p+"-there", p); err != nil {
				t.Fatal(err)
			}
		},
		"a file": func(t *testing.T, p string) { crawlFile(t, p) },
		"another user's": func(t *testing.T, p string) {
			mkdir(t, p, 0o700)
			if err := os.Chown(p, 12345, 12345); err != nil {
				t.Skip(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			put(t, filepath.Join(dir, folderName()))
			file := crawlFile(t, filepath.Join(dir, strings.Repeat("z", 200), "crawl.pawl"))
			if l, err := Listen(file, dir); err == nil {
				l.Close()
				t.Errorf("it is at %s", l.Path())
			}
			// It may be there to keep the user from his crawl at rest.
			if _, err := Dial(t.Context(), file, dir); !errors.Is(err, ErrNoSocket) {
				t.Errorf("Dial: %v", err)
			}
		})
	}
}

// The same file is found by all names that lead to it.
func TestFileBehindLinks(t *testing.T) {
	dir := folder(t)
	file := crawlFile(t, filepath.Join(dir, "real", "crawl.pawl"))
	for from, to := range map[string]string{"by-folder": "real", "by-name.pawl": "real/crawl.pawl"} {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	r := servedAt(t, filepath.Join(dir, "by-folder", "crawl.pawl"), dir, talking())
	if r.l.Path() != file+".sock" {
		t.Errorf("it is at %s", r.l.Path())
	}
	answers(t, file, dir)
	answers(t, filepath.Join(dir, "by-name.pawl"), dir)
	t.Chdir(filepath.Join(dir, "real"))
	answers(t, "crawl.pawl", dir)
}

// The file that has taken the place of the one whose crawl runs is another one.
func TestFileWasReplaced(t *testing.T) {
	r := served(t, talking())
	if err := os.Rename(r.file, r.file+".old"); err != nil {
		t.Fatal(err)
	}
	crawlFile(t, r.file)
	if _, err := Dial(t.Context(), r.file, r.dir); !errors.Is(err, ErrOther) || !strings.Contains(err.Error(), "4711") {
		t.Errorf("Dial: %v", err)
	}
}

// When as many wait as the system lets wait, there is an answer all the same.
func TestNobodyIsLetIn(t *testing.T) {
	file := crawlFile(t, filepath.Join(folder(t), "crawl.pawl"))
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: file + ".sock"}), syscall.Listen(fd, 1)); err != nil {
		t.Fatal(err)
	}
	for {
		c, err := net.Dial("unix", file+".sock")
		if err != nil {
			break
		}
		defer c.Close()
	}
	want := ErrBusy
	if runtime.GOOS != "linux" {
		want = ErrNoSocket // refused, as if there was nobody
	}
	if _, err := Dial(t.Context(), file, ""); !errors.Is(err, want) {
		t.Errorf("Dial: %v", err)
	}
}

func TestOtherUsersAreKnown(t *testing.T) {
	me := os.Geteuid()
	const other = 12345
	if !mayAsk(me) || !mayAsk(0) || mayAsk(me+other) {
		t.Error("mayAsk")
	}
	for owner, believes := range map[int]bool{me: false, me + other: me == 0, me + other + 1: false, -1: false} {
		if !mayAnswer(me, owner) || !mayAnswer(0, owner) || mayAnswer(me+other, owner) != believes {
			t.Errorf("mayAnswer, of a file of user %d", owner)
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(folder(t), "s")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if uid, pid, err := peer(c.(*net.UnixConn)); err != nil || uid != me || pid != 0 && pid != os.Getpid() {
		t.Errorf("user %d, process %d: %v", uid, pid, err)
	}
}
