package control

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Another user is turned away, even where the permissions of the socket would
// let him in.
func TestOtherUsersAreTurnedAway(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	r := served(t, talking())
	for _, path := range []string{r.dir, r.l.Path()} {
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	asOther(t, func() error {
		c, err := net.Dial("unix", r.l.Path())
		if err != nil {
			return err
		}
		defer c.Close()
		_, _ = io.WriteString(c, request("GET", pathHello, "", "Host: pawl", "Connection: close")) // it may be closed already
		if text, _ := io.ReadAll(c); len(text) > 0 {
			return fmt.Errorf("he got %q", text)
		}
		return nil
	})
	answersStill(t, r)
}

// Another user is told that the crawl is not his.
func TestOtherUsersCrawl(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	r := served(t, talking())
	if err := os.Chmod(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	asOther(t, func() error {
		_, _, err := connect(t.Context(), r.l.Path(), 0)
		if !errors.Is(err, ErrOtherUser) || !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "user 0") {
			return fmt.Errorf("connect: %w", err)
		}
		return nil
	})
}

// A socket that somebody else has put beside a crawl file speaks for nobody, not
// even to root, unless the file is his.
func TestSocketOfAStranger(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	dir := folder(t)
	file := crawlFile(t, filepath.Join(dir, "crawl.pawl"))
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	var l net.Listener
	asOther(t, func() (err error) {
		l, err = net.Listen("unix", file+".sock")
		return err
	})
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	defer func() { l.Close(); <-closed }()
	if _, err := Dial(t.Context(), file, dir); !errors.Is(err, ErrOtherUser) {
		t.Errorf("Dial: %v", err)
	}
	if err := os.Chown(file, other, other); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(t.Context(), file, dir); !errors.Is(err, ErrBusy) { // it was let in, and got no answer
		t.Errorf("Dial: %v", err)
	}
}

const other = 12345

// asOther does something as another user.
func asOther(t *testing.T, do func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and it dies with the goroutine
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, other, other, other); errno != 0 {
			done <- errno
			return
		}
		done <- do()
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
