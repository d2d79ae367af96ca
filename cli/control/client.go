package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
	"unicode/utf8"

	"pawl/crawl"
	"pawl/storage"
)

// Client is a Crawl that another process runs. Its errors are those that the crawl
// itself would give, as [*UsageError] and [*Error], and besides [ErrNoSocket],
// [ErrLost], [ErrBusy] and [ErrVersion]. A call ends early when its context does.
type Client struct {
	hello Hello
	http  *http.Client
}

var _ Crawl = (*Client)(nil)

const (
	// helloTime is how long a process may take to introduce itself.
	helloTime = 5 * time.Second
	// Answers but exports are held in memory, and are no larger.
	maxAnswer = 256 << 20
	// Seeds are sent in requests of about so many bytes.
	addBytes = 1 << 20
)

// Dial finds the process that runs the crawl of a file: at the socket beside it,
// or the one in the user's folder in runtimeDir, or where that may be for processes
// with another environment. The errors are ErrNoSocket, ErrOtherUser, ErrOther,
// ErrNoAnswer, ErrVersion and ErrBusy.
func Dial(ctx context.Context, crawlFile, runtimeDir string) (*Client, error) {
	return dial(ctx, crawlFile, runtimeDir, helloTime)
}

func dial(ctx context.Context, crawlFile, runtimeDir string, patience time.Duration) (*Client, error) {
	file, err := resolve(crawlFile)
	if err != nil {
		return nil, err
	}
	failed := ErrNoSocket
	for _, p := range placesToLook(file, runtimeDir) {
		c, err := dialAt(ctx, p, file, patience)
		if err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !errors.Is(err, ErrNoSocket) && (failed == ErrNoSocket || errors.Is(failed, ErrOtherUser)) {
			failed = err // of a crawl, rather than of what a stranger has put there
		}
	}
	return nil, failed
}

func dialAt(ctx context.Context, p place, file string, patience time.Duration) (*Client, error) {
	if p.folder != "" {
		if checkFolder(p.folder) != nil {
			return nil, ErrNoSocket // nor has a crawl of the user's made one there
		}
	}
	owner := ownerOf(file)
	var pid atomic.Int64 // of who listens; 0: not known
	c := &Client{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, p, err := connect(ctx, p.path, owner)
			pid.Store(int64(p))
			return conn, err
		},
		DisableCompression:     true,
		MaxIdleConns:           2,
		IdleConnTimeout:        helloTime, // sooner than the other side
		ReadBufferSize:         64 << 10,
		MaxResponseHeaderBytes: 64 << 10,
	}}}
	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	hello := func() error { return c.ask(short, http.MethodGet, pathHello, nil, &c.hello) }
	err := hello()
	if errors.Is(err, ErrLost) {
		// Either it ended at that moment, or it has no room even to say so.
		if err = hello(); errors.Is(err, ErrLost) {
			err = ErrBusy
		}
	}
	if short.Err() != nil && ctx.Err() == nil {
		err = ErrNoAnswer
		if pid := pid.Load(); pid != 0 {
			err = fmt.Errorf("%w: process %d", ErrNoAnswer, pid)
		}
	}
	if err == nil {
		err = c.check(file)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// check tells whether this is the crawl of the file, and speaks as we do.
func (c *Client) check(file string) error {
	if c.hello.API != API {
		return fmt.Errorf("%w: %s, process %d, speaks version %d of the protocol, this pawl version %d", ErrVersion, c.hello.Version, c.hello.PID, c.hello.API, API)
	}
	// By its path alone the file would not be known in a container, and one that
	// was put in its place would be.
	is := samePath(c.hello.File, file)
	if id := fileID(file); id != "" && c.hello.ID != "" {
		is = id == c.hello.ID
	}
	if !is {
		return fmt.Errorf("%w: process %d has %s open", ErrOther, c.hello.PID, c.hello.File)
	}
	return nil
}

// strangerError is a socket at which another user listens, or did.
type strangerError struct{ uid int }

func (e strangerError) Error() string {
	return fmt.Sprintf("%v: the control socket belongs to user %d", ErrOtherUser, e.uid)
}

// Is tells which errors it is.
func (strangerError) Is(target error) bool {
	return target == ErrOtherUser || target == fs.ErrPermission
}

// connect opens a connection to the crawl, and tells the process that listens; 0:
// not known. The crawl file is the owner's.
func connect(ctx context.Context, path string, owner int) (conn net.Conn, pid int, err error) {
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		switch {
		case ctx.Err() != nil:
		case isNobody(err):
			err = ErrNoSocket
		case errors.Is(err, syscall.EAGAIN): // as many wait to be let in as the system allows
			err = ErrBusy
		case errors.Is(err, fs.ErrPermission):
			if uid := ownerOf(path); uid >= 0 && uid != os.Geteuid() {
				err = strangerError{uid}
			}
		}
		return nil, 0, err
	}
	uid := 0
	if u, ok := c.(*net.UnixConn); ok {
		uid, pid, err = peer(u)
	}
	if err == nil && !mayAnswer(uid, owner) {
		err = strangerError{uid}
	}
	if err != nil {
		c.Close()
		return nil, 0, err
	}
	return c, pid, nil
}

// isNobody tells of an attempt to connect that nobody listens there: there is no
// socket, or one that was left behind, or there can be none, as the path is too
// long.
func isNobody(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) ||
		errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSOCK) || errors.Is(err, syscall.ENAMETOOLONG) ||
		isNobodyHere(err)
}

// Hello is how the crawl introduced itself.
func (c *Client) Hello() Hello { return c.hello }

// Close gives up the connections. The client may not be used any more.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// send sends a request and gives the answer to read on, which is not that of an
// error.
func (c *Client) send(ctx context.Context, method, path string, q any) (*http.Response, error) {
	var body io.Reader
	if q != nil {
		text, err := encode(q)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://pawl"+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, lost(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var a answer
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, lost(ctx, err)
	}
	if json.Unmarshal(text, &a) != nil || a.Code == "" {
		return nil, fmt.Errorf("the crawl answered %s", resp.Status)
	}
	return nil, a.value()
}

// ask sends a request and reads what is answered.
func (c *Client) ask(ctx context.Context, method, path string, q, into any) error {
	resp, err := c.send(ctx, method, path, q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return lost(ctx, err)
	}
	// Strict is the server alone: a newer one may tell more.
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read the answer of the crawl: %w", err)
	}
	return nil
}

// lost names the error of a connection that could not be made, or broke.
func lost(ctx context.Context, err error) error {
	var (
		stranger strangerError
		dial     *net.OpError
	)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &stranger):
		return stranger
	case errors.Is(err, ErrNoSocket):
		return ErrNoSocket
	case errors.Is(err, ErrBusy):
		return ErrBusy
	case errors.As(err, &dial) && dial.Op == "dial":
		return dial
	}
	return fmt.Errorf("%w (%v)", ErrLost, err)
}

// Status is as Crawl has it.
func (c *Client) Status(ctx context.Context) (*crawl.Status, error) {
	s := new(crawl.Status)
	return whole(s, c.ask(ctx, http.MethodGet, pathStatus, nil, s))
}

// whole gives the value only without an error.
func whole[T any](v *T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Why is as Crawl has it.
func (c *Client) Why(ctx context.Context, url string) (*crawl.Story, error) {
	s := new(crawl.Story)
	return whole(s, c.ask(ctx, http.MethodPost, pathWhy, whyQuery{url}, s))
}

// Queue is as Crawl has it.
func (c *Client) Queue(ctx context.Context, q crawl.QueueQuery) (*crawl.QueuePage, error) {
	p := new(crawl.QueuePage)
	return whole(p, c.ask(ctx, http.MethodPost, "/v1/queue", q, p))
}

// Add is as Crawl has it. Many seeds go in several requests: with an error it also
// gives what came of those before.
func (c *Client) Add(ctx context.Context, urls []string) (*crawl.Added, error) {
	all := &crawl.Added{Refused: []string{}}
	for first := true; first || len(urls) > 0; first = false {
		n, size := 0, 0
		for n < len(urls) && (n == 0 || size+len(urls[n]) <= addBytes) {
			size += len(urls[n]) + 8
			n++
		}
		var a crawl.Added
		if err := c.ask(ctx, http.MethodPost, "/v1/add", addQuery{append([]string{}, urls[:n]...)}, &a); err != nil {
			return all, err
		}
		all.Added += a.Added
		all.Known += a.Known
		all.Refused = append(all.Refused, a.Refused...)
		urls = urls[n:]
	}
	return all, nil
}

// Edit is as Crawl has it.
func (c *Client) Edit(ctx context.Context, e crawl.Edit) (*crawl.Edited, error) {
	d := new(crawl.Edited)
	return whole(d, c.ask(ctx, http.MethodPost, "/v1/edit", e, d))
}

// Set is as Crawl has it.
func (c *Client) Set(ctx context.Context, values map[string][]string) ([]string, error) {
	var a setAnswer
	err := c.ask(ctx, http.MethodPost, "/v1/set", setQuery{values}, &a)
	return a.Changes, err
}

// Pause is as Crawl has it.
func (c *Client) Pause(ctx context.Context) error { return c.tell(ctx, "/v1/pause") }

// Resume is as Crawl has it.
func (c *Client) Resume(ctx context.Context) error { return c.tell(ctx, "/v1/resume") }

// Stop is as Crawl has it.
func (c *Client) Stop(ctx context.Context) error { return c.tell(ctx, "/v1/stop") }

func (c *Client) tell(ctx context.Context, path string) error {
	return c.ask(ctx, http.MethodPost, path, nothing{}, new(nothing))
}

// Snapshot is as Crawl has it. The process that runs the crawl makes the copy.
func (c *Client) Snapshot(ctx context.Context, path string) error {
	if !filepath.IsAbs(path) {
		return &UsageError{Text: "the path of a copy must be absolute"}
	}
	if err := checkPath(path); err != nil {
		return err
	}
	return c.ask(ctx, http.MethodPost, "/v1/snapshot", snapshotQuery{path}, new(nothing))
}

// checkPath refuses a path that would be another one in JSON.
func checkPath(path string) error {
	if utf8.ValidString(path) {
		return nil
	}
	return &UsageError{Text: fmt.Sprintf("the path %q is not UTF-8, and so cannot be told to the running crawl", path)}
}

// Info is as Crawl has it.
func (c *Client) Info(ctx context.Context) (*storage.Info, error) {
	i := new(storage.Info)
	return whole(i, c.ask(ctx, http.MethodGet, "/v1/info", nil, i))
}

// Export is as Crawl has it. The error is that of w when it is w that fails, and
// ErrLost when the crawl's process ends without saying that this is the end.
func (c *Client) Export(ctx context.Context, e Export, w io.Writer) error {
	if err := checkPath(e.Path); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // what is not read of an answer is not waited for
	resp, err := c.send(ctx, http.MethodPost, pathExport, e)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return lost(ctx, err)
		}
	}
	return ended(resp.Trailer.Get(endTrailer))
}

// ended reads how an export ended.
func ended(trailer string) error {
	if trailer == endOK {
		return nil
	}
	var a answer
	if json.Unmarshal([]byte(trailer), &a) != nil || a.Code == "" {
		return fmt.Errorf("%w: it did not say that this is the end", ErrLost)
	}
	return a.value()
}
