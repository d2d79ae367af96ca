// Package control is how a crawl is spoken to: the commands ask and tell a [Crawl],
// which is the crawl in a file that is at rest, or, by a socket beside the file,
// the one that a running process has open.
package control

import (
	"context"
	"io"

	"pawl/crawl"
	"pawl/export"
	"pawl/storage"
)

// Crawl is what can be asked of a crawl and told to it. All methods may be called
// concurrently. What they ask and answer is JSON by its tags when it goes over a
// socket.
type Crawl interface {
	// Status tells how it stands.
	Status(ctx context.Context) (*crawl.Status, error)
	// Why tells the story of an address.
	Why(ctx context.Context, url string) (*crawl.Story, error)
	// Queue gives a page of the jobs that have no outcome.
	Queue(ctx context.Context, q crawl.QueueQuery) (*crawl.QueuePage, error)
	// Add adds seeds.
	Add(ctx context.Context, urls []string) (*crawl.Added, error)
	// Edit drops, restores or retries, and returns when that is through; when ctx
	// is cancelled the edit is carried out all the same.
	Edit(ctx context.Context, e crawl.Edit) (*crawl.Edited, error)
	// Set changes settings, by their names on the command line: each gets the
	// values, none takes it back to what is usual. It gives what has changed, each
	// as "name value".
	Set(ctx context.Context, values map[string][]string) (changes []string, err error)
	// Pause has nothing more handed out, until Resume or the end of the run. At
	// rest it is ErrResting, as are Resume and Stop.
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error
	// Stop ends the run as Ctrl-C does. It returns when the crawl has begun to
	// stop.
	Stop(ctx context.Context) error
	// Export writes what a crawl found. Errors of what was asked come before
	// anything is written.
	Export(ctx context.Context, e Export, w io.Writer) error
	// Snapshot makes a copy of the crawl file at path, an absolute path where
	// nothing is yet. It is not verified.
	Snapshot(ctx context.Context, path string) error
	// Info tells what the file holds and what takes the space.
	Info(ctx context.Context) (*storage.Info, error)
}

// Export says what is to be exported.
type Export struct {
	What    string         `json:"what"`
	Options export.Options `json:"options"` // without Fields, InScope and Rest, which the crawl knows
	Profile string         `json:"profile,omitempty"`
	// Follow: go on as rows come, until the crawl is finished or the process that
	// runs it ends. Pages alone can be followed.
	Follow bool `json:"follow,omitempty"`
	// Skip passes over as many bytes, with Follow.
	Skip int64 `json:"skip,omitempty"`
	// Withdrawn, with Follow: the rows are without the first so many outcomes that
	// the user withdrew, as [crawl.Status].Reopened counts them, so that the same
	// bytes come again; nil: without all that are withdrawn by now.
	Withdrawn *uint64 `json:"withdrawn,omitempty"`
	// CRC32, with Skip: the checksum (IEEE) of the bytes that are passed over. When
	// they are others by now, as when a field was added, the export fails; nil: it
	// is not looked at.
	CRC32 *uint32 `json:"crc32,omitempty"`
	// Path is an absolute path that the process which runs the crawl writes to,
	// instead of the writer: with Follow, where the file has to be there already,
	// be it empty, for a process that sees other files not to write elsewhere; and
	// of a sitemap, which may take several files. It is a file or, of a sitemap,
	// nothing yet, but not the crawl file, a folder, pipe, socket or device.
	Path string `json:"path,omitempty"`
}
