package fetch

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// inNamespace is set in the process that has a network of its own, with nothing in it.
const inNamespace = "PAWL_TEST_WITHOUT_NETWORK"

// A machine without any network, for real.
func TestProbeWithoutNetwork(t *testing.T) {
	if os.Getenv(inNamespace) == "" {
		c := exec.Command(os.Args[0], "-test.run=^TestProbeWithoutNetwork$", "-test.v", "-test.timeout=60s")
		c.Env = append(os.Environ(), inNamespace+"=1")
		c.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		out, err := c.CombinedOutput()
		if _, hasRun := err.(*exec.ExitError); err != nil && !hasRun {
			t.Skipf("no namespace of one's own here: %v", err)
		}
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for _, hosts := range [][]string{{"192.0.2.1:80"}, {"[2001:db8::1]"}, {"www.example.com"}, {"www.example.com", "198.51.100.7"}} {
		if got := text(Probe(t.Context(), hosts)); got != errNoRoute.Error() {
			t.Errorf("%q: got %q", hosts, got)
		}
	}
	if err := Probe(t.Context(), []string{"127.0.0.1:80", "localhost"}); err != nil {
		t.Errorf("this machine is not there: %v", err)
	}
	f := fetcher(t, options())
	for _, url := range []string{"http://192.0.2.1/", "https://192.0.2.1/", "http://[2001:db8::1]/"} {
		if res := get(f, url); res.Class != Connect || !res.Sent.IsZero() {
			t.Errorf("%s: got %+v", url, res)
		}
	}
	if res := get(f, "http://www.example.com/"); res.Class != DNS {
		t.Errorf("a name: got %+v", res)
	}
	o := options()
	o.Proxy = "http://192.0.2.1:3128"
	if res := get(fetcher(t, o), "http://www.example.com/"); !res.Proxy {
		t.Errorf("behind a proxy: got %+v", res)
	}
}
