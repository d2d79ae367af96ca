package fakeweb

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Start serves the first hosts of the web on loopback, each on a port of its
// own, and returns the addresses of their roots, as "http://127.0.0.1:4711/".
// Links between them carry the right ports and go to none of the hosts that
// were not started. stop closes all listeners and connections and returns when
// they are closed; calling it again does nothing.
func (w *Web) Start(hosts int) (roots []string, stop func(), err error) {
	if hosts < 1 || hosts > w.o.Hosts {
		return nil, nil, fmt.Errorf("fakeweb: start %d hosts of %d", hosts, w.o.Hosts)
	}
	v := &names{hosts: hosts, scheme: "http"}
	listeners := make([]net.Listener, 0, hosts)
	for range hosts {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			for _, l := range listeners {
				err = errors.Join(err, l.Close())
			}
			return nil, nil, err
		}
		listeners = append(listeners, l)
		v.roots = append(v.roots, "http://"+l.Addr().String())
		roots = append(roots, "http://"+l.Addr().String()+"/")
	}
	servers := make([]*http.Server, hosts)
	var serving sync.WaitGroup
	for h, l := range listeners {
		servers[h] = &http.Server{
			Handler:           http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.serve(rw, r, v, h) }),
			ReadHeaderTimeout: time.Minute,
			ErrorLog:          log.New(io.Discard, "", 0),
		}
		// Serve ends with the error that says it was closed.
		serving.Go(func() { _ = servers[h].Serve(l) })
	}
	stop = sync.OnceFunc(func() {
		for h, server := range servers {
			// A server that has not begun to serve does not know its listener yet.
			_ = listeners[h].Close()
			_ = server.Close()
		}
		serving.Wait()
	})
	return roots, stop, nil
}

// rootedAt returns the names of hosts that are reached at the given roots.
func rootedAt(roots []string) *names {
	v := &names{hosts: len(roots), scheme: "http"}
	for _, root := range roots {
		v.roots = append(v.roots, strings.TrimSuffix(root, "/"))
	}
	return v
}
