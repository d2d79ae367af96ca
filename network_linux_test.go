package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

var (
	networkInside = flag.String("network.inside", "", "set by the test itself: it runs in namespaces of its own, with this binary")
	networkName   = flag.String("network.case", "", "set by the test itself: which case it is")
)

// island is a network of our own: one device, a resolver and some web servers.
type island struct {
	t      *testing.T
	resolv atomic.Bool // the resolver answers
	served atomic.Int64
}

const (
	islandAddress = "10.9.0.1"
	islandPages   = 60
)

// networkCase is a crawl that loses its network.
type networkCase struct {
	hosts     []string
	lose      func(n *island, isLost bool) // has the network go, and come back
	isStopped bool                         // by Ctrl-C, amid the outage
}

// networkCases are by their names. They take their time in waiting, so each has
// namespaces of its own and they run at the same time.
func networkCases() map[string]networkCase {
	several := []string{"www.one.com", "www.two.com", "www.three.com"}
	return map[string]networkCase{
		"one host by its address, no device": {[]string{islandAddress}, (*island).unplug, false},
		"one host by its name, no resolver":  {[]string{"www.one.com"}, (*island).silence, false},
		"hosts by their names, no device":    {several, (*island).unplug, false},
		"stopped amid the outage":            {several, (*island).unplug, true},
	}
}

// TestNetwork crawls with the real binary in a network of its own, whose device is
// taken down and whose resolver falls silent. Nothing that fails meanwhile is
// charged, and the crawl goes on by itself.
func TestNetwork(t *testing.T) {
	if *networkInside != "" {
		n := &island{t: t}
		n.build()
		n.crawl(networkCases()[*networkName])
		return
	}
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	t.Parallel()
	bin := realBinary(t)
	inside := make(map[string]*exec.Cmd)
	for name := range networkCases() {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNetwork$", "-test.v", "-test.count=1", "-network.inside="+bin, "-network.case="+name)
		ownSystem(cmd)
		cmd.Stdout = new(bytes.Buffer)
		cmd.Stderr = cmd.Stdout
		err := cmd.Start()
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EACCES) {
			t.Skip("no namespaces: ", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer cmd.Process.Kill()
		inside[name] = cmd
	}
	for name, cmd := range inside {
		t.Run(name, func(t *testing.T) {
			err := cmd.Wait()
			if err != nil {
				t.Fatalf("%v\n%s", err, cmd.Stdout)
			}
			if out := cmd.Stdout.(*bytes.Buffer); !bytes.Contains(out.Bytes(), []byte("--- PASS: TestNetwork")) {
				t.Skipf("%s", out)
			}
		})
	}
}

// build has the device, the resolver and the servers.
func (n *island) build() {
	if err := setLoopback(true); err != nil {
		n.t.Skip("no device: ", err)
	}
	if err := addAddress("lo:1", islandAddress); err != nil {
		n.t.Skip("no address: ", err)
	}
	resolv := filepath.Join(n.t.TempDir(), "resolv.conf")
	if err := os.WriteFile(resolv, []byte("nameserver "+islandAddress+"\noptions timeout:1 attempts:1\n"), 0o644); err != nil {
		n.t.Fatal(err)
	}
	if err := unix.Mount(resolv, "/etc/resolv.conf", "", unix.MS_BIND, ""); err != nil {
		n.t.Skip("no resolv.conf: ", err)
	}
	packets, err := net.ListenPacket("udp", islandAddress+":53")
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { packets.Close() })
	n.resolv.Store(true)
	go n.resolve(packets)
	listener, err := net.Listen("tcp", islandAddress+":80")
	if err != nil {
		n.t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(n.page)}
	n.t.Cleanup(func() { server.Close() })
	go server.Serve(listener)
}

// resolve answers for all names that begin with www.
func (n *island) resolve(packets net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		size, from, err := packets.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:size]) != nil || len(m.Questions) == 0 || !n.resolv.Load() {
			continue
		}
		q := m.Questions[0]
		answer := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions[:1]}
		switch {
		case !strings.HasPrefix(q.Name.String(), "www."):
			answer.RCode = dnsmessage.RCodeNameError
		case q.Type == dnsmessage.TypeA:
			answer.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
				Body:   &dnsmessage.AResource{A: [4]byte(net.ParseIP(islandAddress).To4())},
			}}
		}
		if packed, err := answer.Pack(); err == nil {
			_, _ = packets.WriteTo(packed, from)
		}
	}
}

func (n *island) page(w http.ResponseWriter, r *http.Request) {
	n.served.Add(1)
	switch r.URL.Path {
	case "/robots.txt":
		http.NotFound(w, r)
	case "/":
		w.Header().Set("Content-Type", "text/html")
		for i := range islandPages - 1 {
			fmt.Fprintf(w, "<a href=/%d>x</a>\n", i)
		}
	default:
		w.Header().Set("Content-Type", "text/html")
		// Each asks for its own connection and its own look-up.
		w.Header().Set("Connection", "close")
		fmt.Fprintf(w, "<title>%s</title>", r.URL.Path)
	}
}

// addAddress gives a device another address.
func addAddress(device, address string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(device)
	if err != nil {
		return err
	}
	if err := request.SetInet4Addr(net.ParseIP(address).To4()); err != nil {
		return err
	}
	return unix.IoctlIfreq(fd, unix.SIOCSIFADDR, request)
}

func (n *island) unplug(isLost bool) {
	if err := setLoopback(!isLost); err != nil {
		n.t.Fatal(err)
	}
}

func (n *island) silence(isLost bool) { n.resolv.Store(!isLost) }

// crawl crawls the hosts, and loses the network amid that.
func (n *island) crawl(c networkCase) {
	t, hosts := n.t, c.hosts
	db := filepath.Join(t.TempDir(), "crawl.pawl")
	args := []string{"crawl", "--db", db, "--delay", "25ms", "--retries", "0", "--timeout", "3s", "--progress", "none"}
	for _, h := range hosts {
		args = append(args, "http://"+h+"/")
	}
	cmd, done, talk := start(t, *networkInside, args)
	n.wait("pages", 5*time.Millisecond, func() bool { return n.served.Load() > int64(10*len(hosts)) })
	c.lose(n, true)
	n.wait("the hold", 100*time.Millisecond, func() bool {
		out, _ := exec.Command(*networkInside, "status", "--db", db, "--json").Output()
		return bytes.Contains(out, []byte(`"reason": "network"`))
	})
	if c.isStopped {
		cmd.Process.Signal(os.Interrupt)
		if code := exitCode(t, <-done); code != 4 {
			t.Fatalf("exit %d\n%s", code, talk.String())
		}
		c.lose(n, false)
		_, done, talk = start(t, *networkInside, args)
	} else {
		c.lose(n, false)
	}
	if err := <-done; err != nil {
		t.Fatalf("%v\n%s", err, talk.String())
	}
	if said := talk.String(); !c.isStopped && (!strings.Contains(said, "the network is gone") || !strings.Contains(said, "the network is back")) {
		t.Errorf("it said\n%s", said)
	}
	out, err := exec.Command(*networkInside, "export", "--db", db, "--columns", "url,outcome,attempts,error").Output()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows)-1 != islandPages*len(hosts) {
		t.Errorf("%d rows", len(rows)-1)
	}
	for _, row := range rows[1:] {
		if row[1] != "fetched" || row[2] != "1" {
			t.Error(row)
		}
	}
}

// wait waits until something is so, and looks every so often.
func (n *island) wait(what string, every time.Duration, is func() bool) {
	n.t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(every) {
		if time.Now().After(end) {
			n.t.Fatalf("waited for %s for a minute", what)
		}
	}
}
