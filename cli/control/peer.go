package control

import (
	"net"
	"os"
)

// peer tells which user and process are at the other end.
func peer(c *net.UnixConn) (uid, pid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	outer := raw.Control(func(fd uintptr) { uid, pid, err = peerOf(int(fd)) })
	if outer != nil {
		err = outer
	}
	return uid, pid, err
}

// mayAsk tells whether a user may speak to this process's crawl.
func mayAsk(uid int) bool { return uid == os.Geteuid() || uid == 0 }

// mayAnswer tells whether this process takes a user's word for what the crawl says
// whose file belongs to owner. To root the crawl of the owner may answer, but not
// whoever can put a socket beside the file.
func mayAnswer(uid, owner int) bool {
	return uid == os.Geteuid() || uid == 0 || os.Geteuid() == 0 && uid == owner
}
