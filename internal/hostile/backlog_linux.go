package hostile

import (
	"fmt"
	"net"
	"syscall"
	"time"
)

// Full is a port whose queue of connections is full: it neither takes nor
// refuses another one. A client must give up when the time to connect is over.
// It returns the address of its root, and what ends it.
func Full() (root string, stop func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", nil, err
	}
	var waiting []net.Conn
	stop = func() {
		for _, c := range waiting {
			_ = c.Close()
		}
		_ = syscall.Close(fd)
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return "", nil, err
	}
	if err := syscall.Listen(fd, 0); err != nil {
		return "", nil, err
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		return "", nil, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", at.(*syscall.SockaddrInet4).Port)
	for len(waiting) < 16 {
		c, err := net.DialTimeout("tcp", addr, 50*time.Millisecond)
		if err != nil {
			return "http://" + addr + "/", stop, nil
		}
		waiting = append(waiting, c)
	}
	return "", nil, fmt.Errorf("hostile: the queue of %s does not fill", addr)
}
