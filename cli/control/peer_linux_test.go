package control

import (
	"io"
	"net"
	"os"
	"runtime"
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
	answered := make(chan string)
	go func() {
		defer close(answered)
		runtime.LockOSThread() // and it dies with the goroutine
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 12345, 12345, 12345); errno != 0 {
			answered <- errno.Error()
			return
		}
		c, err := net.Dial("unix", r.l.Path())
		if err != nil {
			answered <- err.Error()
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, request("GET", pathHello, "", "Host: pawl", "Connection: close")) // it may be closed already
		text, _ := io.ReadAll(c)
		answered <- string(text)
	}()
	if text := <-answered; text != "" {
		t.Errorf("he got %q", text)
	}
	answersStill(t, r)
}
