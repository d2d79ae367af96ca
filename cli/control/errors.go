package control

import (
	"encoding/json"
	"errors"
	"net/http"
	"syscall"

	"pawl/crawl"
	"pawl/storage"
)

var (
	// ErrNoSocket is the error of speaking to a crawl that no running process
	// offers to speak for: it is at rest, or its process offers no socket.
	ErrNoSocket = errors.New("no running crawl can be spoken to")
	// ErrOtherUser is the error of a socket that is another user's, who runs the
	// crawl or only has put it there: whether the crawl rests shows when its file is
	// opened.
	ErrOtherUser = errors.New("another user runs the crawl")
	// ErrOther is the error of a socket behind which another file's crawl runs,
	// as when the file was replaced while its crawl was running.
	ErrOther = errors.New("the crawl that answers is that of another file")
	// ErrNoAnswer is the error of a process that listens, but does not answer, as
	// when it is suspended.
	ErrNoAnswer = errors.New("the process that runs the crawl does not answer")
	// ErrLost is the error of an answer that broke off: the process that ran the
	// crawl is gone.
	ErrLost = errors.New("the process that ran the crawl is gone")
	// ErrBusy is the error of asking when too many ask already.
	ErrBusy = errors.New("too many speak to the crawl at once")
	// ErrVersion is the error of a crawl run by a pawl that speaks another
	// version of the protocol.
	ErrVersion = errors.New("the crawl is run by another version of pawl")
)

// UsageError is a mistake in what was asked. It comes through a socket as it is.
type UsageError struct {
	Text string
	Flag string // that is wrong, without its dashes; empty: none, or not said
	Hint string // what the user can do; may be empty
}

func (e *UsageError) Error() string { return e.Text }

// Error is what a running crawl answered when it could not do what it was asked
// to. [errors.Is] and [errors.As] find in it what they would have found in the
// error of a crawl at rest: [crawl.ErrResting], [crawl.ErrOver], [ErrBusy],
// [ErrVersion], the errors of storage, a full disk.
type Error struct {
	Text string
	Code string // as docs/control.md lists them
	Hint string // what the user can do; may be empty
	is   error
}

func (e *Error) Error() string { return e.Text }

// Unwrap gives the error that the code stands for; nil: none.
func (e *Error) Unwrap() error { return e.is }

// codes are the words for errors, the more special ones first, and the HTTP
// statuses that they go with.
var codes = [...]struct {
	code   string
	status int
	err    error
}{
	{"resting", http.StatusConflict, crawl.ErrResting},
	{"over", http.StatusGone, crawl.ErrOver},
	{"busy", http.StatusServiceUnavailable, ErrBusy},
	{"version", http.StatusNotFound, ErrVersion},
	{"file_missing", http.StatusInternalServerError, storage.ErrMissing},
	{"file_exists", http.StatusConflict, storage.ErrExists},
	{"file_in_use", http.StatusConflict, storage.ErrInUse},
	{"file_not_ours", http.StatusInternalServerError, storage.ErrNotOurs},
	{"file_too_new", http.StatusInternalServerError, storage.ErrTooNew},
	{"file_damaged", http.StatusInternalServerError, storage.ErrDamaged},
	{"file_read_only", http.StatusInternalServerError, storage.ErrReadOnly},
	{"disk_full", http.StatusInsufficientStorage, syscall.ENOSPC},
	{"disk_quota", http.StatusInsufficientStorage, syscall.EDQUOT},
	{"disk_limit", http.StatusInsufficientStorage, syscall.EFBIG},
	{"disk_read_only", http.StatusInsufficientStorage, syscall.EROFS},
	{"disk_broken", http.StatusInsufficientStorage, syscall.EIO},
}

// The codes of errors that have no value of their own.
const (
	codeUsage    = "usage"
	codeRefused  = "refused"    // by its Host or Origin
	codeWrite    = "file_write" // *storage.WriteError
	codeInternal = "internal"
)

// answer is an error as it goes over the socket.
type answer struct {
	Error string `json:"error"`
	Code  string `json:"code"`
	Flag  string `json:"flag,omitempty"`
	Hint  string `json:"hint,omitempty"`
	// With the code version.
	API  int    `json:"api,omitempty"`
	Pawl string `json:"pawl,omitempty"`

	status int
}

// refusal is an answer of the server's own.
func refusal(status int, code, text string) *answer {
	return &answer{Error: text, Code: code, status: status}
}

// answerTo puts an error into words.
func answerTo(err error, o *Options) *answer {
	a := &answer{Error: err.Error(), Code: codeInternal, status: http.StatusInternalServerError}
	var (
		usage *UsageError
		write *storage.WriteError
	)
	isUsage := errors.As(err, &usage)
	if !isUsage && o.Usage != nil {
		usage = o.Usage(err)
		isUsage = usage != nil
	}
	if query := (*crawl.QueryError)(nil); !isUsage && errors.As(err, &query) {
		usage, isUsage = &UsageError{}, true
	}
	if o.Hint != nil {
		a.Hint = o.Hint(err)
	}
	switch {
	case isUsage:
		a.Code, a.status, a.Flag = codeUsage, http.StatusBadRequest, usage.Flag
		if usage.Hint != "" {
			a.Hint = usage.Hint
		}
	case errors.As(err, &write):
		a.Code, a.status = codeWrite, http.StatusInsufficientStorage
	default:
		if e, ok := storage.DiskTrouble(err); ok {
			err = errors.Join(e, err)
		}
		for _, c := range codes {
			if errors.Is(err, c.err) {
				a.Code, a.status = c.code, c.status
				break
			}
		}
	}
	return a
}

// value is the error that an answer stands for.
func (a *answer) value() error {
	switch a.Code {
	case codeUsage:
		return &UsageError{Text: a.Error, Flag: a.Flag, Hint: a.Hint}
	case codeWrite:
		return &Error{Text: a.Error, Code: a.Code, Hint: a.Hint, is: &storage.WriteError{Err: errors.New(a.Error)}}
	}
	e := &Error{Text: a.Error, Code: a.Code, Hint: a.Hint}
	for _, c := range codes {
		if c.code == a.Code {
			e.is = c.err
		}
	}
	return e
}

// The end of an export stands in this trailer: "ok", or an answer.
const (
	endTrailer = "Pawl-End"
	endOK      = "ok"
	// A client may not take longer trailers than a few kilobytes.
	maxEnd = 2 << 10
)

// trailer is the answer as the text of a header: without anything that is not
// ASCII, and not too long.
func (a *answer) trailer() string {
	short := *a
	short.Error, short.Hint = cut(a.Error, maxEnd/2), cut(a.Hint, maxEnd/4)
	text, err := json.Marshal(&short)
	if err != nil {
		return `{"error":"the export failed","code":"internal"}`
	}
	return ascii(text)
}
