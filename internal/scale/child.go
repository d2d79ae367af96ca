package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"pawl/cli"
	"pawl/export"
	"pawl/storage"
)

// What memory or a restart costs is measured in a process of its own: this
// command starts itself as "scale child NAME FILE", and the child prints a
// finding as JSON.

// finding is what a child has measured. Fields that it does not measure are
// zero.
type finding struct {
	Load    time.Duration // from the start to a crawl that is loaded
	First   time.Duration // from the start to the first job
	Took    time.Duration
	Memory  int64 // anonymous and resident, in bytes; the highest seen
	Rows    int
	Pending uint64
}

// see notes how much memory the process has now.
func (m *finding) see() { m.Memory = max(m.Memory, anonymous()) }

func child(name, path string) error {
	ask := map[string]func(string) (finding, error){
		"status": status, "resume": resume, "go-on": goOn, "export": exportPages,
	}[name]
	if ask == nil {
		return fmt.Errorf("there is no child %q", name)
	}
	m, err := ask(path)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(m)
}

// inChild has a child measure something.
func inChild(ctx context.Context, name, path string) (m finding, err error) {
	self, err := os.Executable()
	if err != nil {
		return m, err
	}
	cmd := exec.CommandContext(ctx, self, "child", name, path)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	return m, json.Unmarshal(out, &m)
}

// status does what `pawl status` does.
func status(path string) (m finding, err error) {
	began := time.Now()
	code := cli.Run(context.Background(), []string{"pawl", "status", "--db", path}, cli.System{
		Stdout: io.Discard, Stderr: os.Stderr, Env: func(string) string { return "" },
	})
	m.Took = time.Since(began)
	m.see()
	if code != cli.ExitOK {
		err = fmt.Errorf("exit code %d", code)
	}
	return m, err
}

// resume goes on with a crawl up to its first job, and stops it again.
func resume(path string) (m finding, err error) {
	began := time.Now()
	d, err := open(path)
	if err != nil {
		return m, err
	}
	m.Load = time.Since(began)
	if err := d.start(); err != nil {
		return m, err
	}
	left := 1
	if err := d.handOut(&left); err != nil {
		return m, err
	}
	m.First = time.Since(began)
	m.see()
	m.Pending = d.f.Counts().Pending
	for i := range d.out {
		d.f.Release(&d.out[i], time.Time{})
	}
	d.out = nil
	return m, d.close()
}

const (
	// goOn completes so many pages, and looks at the memory after each part.
	// They are made one at a time, for they count as memory of the crawler.
	goOnPages = 100_000
	goOnPart  = 512
)

// goOn goes on with a crawl for a while.
func goOn(path string) (m finding, err error) {
	w, err := loadWeb(webFile(path))
	if err != nil {
		return m, err
	}
	d, err := open(path)
	if err != nil {
		return m, err
	}
	if err := d.start(); err != nil {
		return m, err
	}
	take := func(host uint32) *answer { return w.take(host, d.hash) }
	for n := 0; n < goOnPages; n += goOnPart {
		if err := d.complete(goOnPart, take); err != nil {
			return m, err
		}
		w.asked = w.asked[:0]
		m.see()
	}
	return m, d.close()
}

// sampled is a writer that notes the memory at every write.
type sampled struct{ m *finding }

func (s sampled) Write(b []byte) (int, error) {
	s.m.see()
	return len(b), nil
}

// exportPages exports the pages as CSV.
func exportPages(path string) (m finding, err error) {
	began := time.Now()
	file, err := storage.Open(path, true)
	if err != nil {
		return m, err
	}
	m.Rows, err = export.Pages(sampled{&m}, file, export.Defaults())
	m.Took = time.Since(began)
	return m, errors.Join(err, file.Close())
}

// webFile is where the web of a crawl file is kept for children.
func webFile(path string) string { return path + ".web" }

func (w *web) save(path string) error {
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func loadWeb(path string) (*web, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	w := new(web)
	if err := json.Unmarshal(text, w); err != nil {
		return nil, err
	}
	w.begin(uint64(len(text)))
	return w, nil
}
