// Package warccheck holds WARC files against the standard (ISO 28500:2017), for
// tests. It was written from the standard and shares no code with what writes
// the files; even gzip is another one.
//
// It is stricter than the standard where the standard recommends: a file begins
// with a warcinfo, every record is a gzip member of its own, has a digest of its
// block, and a Content-Type when it has a block.
package warccheck

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Record is a record that was read.
type Record struct {
	Offset, Length int64 // of its gzip member
	Type, ID, URI  string
	Date           string
	Fields         map[string][]string // names in lower case
	Block          []byte
	Payload        []byte         // of requests and responses; nil for a revisit
	PayloadDigest  string         // as the record says
	Response       *http.Response // of responses and revisits; its Body is not to be read
}

// Field is the first value of a field, empty when there is none.
func (r *Record) Field(name string) string {
	if v := r.Fields[strings.ToLower(name)]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Report is what files hold.
type Report struct {
	Records []*Record
	Types   map[string]int // number of records of each type
}

// Payload is the body of the response at a URL: that of the first response, or
// when it is a revisit, that of what it refers to. It is nil when there is none.
func (r *Report) Payload(uri string) []byte {
	for _, rec := range r.Records {
		if rec.URI != uri {
			continue
		}
		switch rec.Type {
		case "response":
			return rec.Payload
		case "revisit":
			for _, o := range r.Records {
				if o.Type == "response" && o.URI == rec.Field("WARC-Refers-To-Target-URI") && o.Date == rec.Field("WARC-Refers-To-Date") {
					return o.Payload
				}
			}
		}
	}
	return nil
}

// Validate reads files, in the order in which they were written, and returns what
// is in them and all that is wrong with them, joined. Each must be complete by
// itself, but a revisit may refer to a response in an earlier one. Everything is
// held in memory.
func Validate(files ...io.Reader) (*Report, error) {
	rep := &Report{Types: map[string]int{}}
	var errs []error
	for i, f := range files {
		begin := len(rep.Records)
		if err := rep.read(f); err != nil {
			errs = append(errs, fmt.Errorf("file %d: %w", i, err))
		}
		for _, err := range checkFile(rep.Records[begin:]) {
			errs = append(errs, fmt.Errorf("file %d: %w", i, err))
		}
	}
	errs = append(errs, rep.checkAll()...)
	const most = 20
	if len(errs) > most {
		errs = append(errs[:most], fmt.Errorf("and %d more", len(errs)-most))
	}
	return rep, errors.Join(errs...)
}

// position counts bytes, and gives single ones, so that no reader of gzip takes
// more than its member.
type position struct {
	r *bufio.Reader
	n int64
}

func (p *position) ReadByte() (byte, error) {
	b, err := p.r.ReadByte()
	if err == nil {
		p.n++
	}
	return b, err
}

func (p *position) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.n += int64(n)
	return n, err
}

func (rep *Report) read(f io.Reader) error {
	p := &position{r: bufio.NewReader(f)}
	for {
		if _, err := p.r.Peek(1); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		offset := p.n
		at := func(err error) error { return fmt.Errorf("member at %d: %w", offset, err) }
		zip, err := gzip.NewReader(p)
		if err != nil {
			return at(err)
		}
		zip.Multistream(false)
		text, err := io.ReadAll(zip)
		if err != nil {
			return at(err)
		}
		rec, err := parse(text)
		if err != nil {
			return at(err)
		}
		rec.Offset, rec.Length = offset, p.n-offset
		rep.Records = append(rep.Records, rec)
		rep.Types[rec.Type]++
	}
}

// parse takes a record apart: warc-record = header CRLF block CRLF CRLF.
func parse(text []byte) (*Record, error) {
	head, rest, ok := bytes.Cut(text, []byte("\r\n\r\n"))
	if !ok {
		return nil, errors.New("no end of the head")
	}
	lines := strings.Split(string(head), "\r\n")
	if lines[0] != "WARC/1.1" {
		return nil, fmt.Errorf("version line %q", lines[0])
	}
	rec := &Record{Fields: map[string][]string{}}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !token.MatchString(name) {
			return nil, fmt.Errorf("no field: %q", line)
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f || r == 0xfffd }) {
			return nil, fmt.Errorf("controls or no UTF-8 in field %q", line)
		}
		name = strings.ToLower(name)
		rec.Fields[name] = append(rec.Fields[name], strings.Trim(value, " \t"))
	}
	length, err := strconv.ParseUint(rec.Field("Content-Length"), 10, 63)
	if err != nil {
		return nil, fmt.Errorf("Content-Length: %w", err)
	}
	if uint64(len(rest)) != length+4 {
		return nil, fmt.Errorf("Content-Length is %d, of what follows the head %d bytes belong to the block", length, len(rest)-4)
	}
	if string(rest[length:]) != "\r\n\r\n" {
		return nil, errors.New("no two line ends after the block")
	}
	rec.Block = rest[:length]
	rec.Type, rec.ID, rec.Date = rec.Field("WARC-Type"), rec.Field("WARC-Record-ID"), rec.Field("WARC-Date")
	rec.URI, rec.PayloadDigest = rec.Field("WARC-Target-URI"), rec.Field("WARC-Payload-Digest")
	return rec, nil
}

var (
	token    = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	uuidURI  = regexp.MustCompile(`^<urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}>$`)
	w3cDate  = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$`)
	strayPct = regexp.MustCompile(`%($|[^0-9A-Fa-f]|[0-9A-Fa-f]($|[^0-9A-Fa-f]))`)
	uriChars = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*$`)
)

// only says for a field in which types of records it may stand (clause 5).
var only = map[string][]string{
	"warc-concurrent-to":        {"request", "response", "resource", "metadata", "revisit"},
	"warc-ip-address":           {"request", "response", "resource", "metadata", "revisit"},
	"warc-protocol":             {"request", "response", "resource", "metadata", "revisit"},
	"warc-refers-to":            {"metadata", "revisit", "conversion"},
	"warc-refers-to-target-uri": {"revisit"},
	"warc-refers-to-date":       {"revisit"},
	"warc-profile":              {"revisit"},
	"warc-filename":             {"warcinfo"},
	"warc-target-uri":           {"response", "resource", "request", "revisit", "conversion", "continuation", "metadata"},
	"warc-warcinfo-id":          {"response", "resource", "request", "revisit", "conversion", "continuation", "metadata"},
	"warc-payload-digest":       {"response", "resource", "request", "revisit", "conversion", "continuation"},
	"warc-segment-number":       {},
}

// check says what is wrong with a record by itself.
func (r *Record) check() (errs []error) {
	wrong := func(format string, a ...any) {
		errs = append(errs, fmt.Errorf("%s %s at %d: %s", r.Type, r.URI, r.Offset, fmt.Sprintf(format, a...)))
	}
	if !slices.Contains([]string{"warcinfo", "request", "response", "revisit", "metadata", "resource"}, r.Type) {
		wrong("type is not known")
	}
	for name, values := range r.Fields {
		if len(values) > 1 && name != "warc-concurrent-to" && name != "warc-protocol" {
			wrong("%s is repeated", name)
		}
		if types, ok := only[name]; ok && !slices.Contains(types, r.Type) {
			wrong("%s must not stand here", name)
		}
	}
	if !uuidURI.MatchString(r.ID) {
		wrong("WARC-Record-ID %q", r.ID)
	}
	if _, err := time.Parse(time.RFC3339Nano, r.Date); err != nil || !w3cDate.MatchString(r.Date) {
		wrong("WARC-Date %q", r.Date)
	}
	if len(r.Block) > 0 && r.Field("Content-Type") == "" {
		wrong("no Content-Type")
	}
	if d := r.Field("WARC-Block-Digest"); d != digest(r.Block) {
		wrong("WARC-Block-Digest is %q and should be %s", d, digest(r.Block))
	}
	if t := r.Field("WARC-Truncated"); t != "" && !slices.Contains([]string{"length", "time", "disconnect", "unspecified"}, t) {
		wrong("WARC-Truncated %q", t)
	}
	if ip := r.Field("WARC-IP-Address"); ip != "" {
		if a, err := netip.ParseAddr(ip); err != nil || a.Zone() != "" {
			wrong("WARC-IP-Address %q", ip)
		}
	}
	if r.Type == "warcinfo" {
		r.checkInfo(wrong)
		return errs
	}
	if !isURI(r.URI) {
		wrong("WARC-Target-URI")
	}
	switch r.Type {
	case "request":
		r.checkRequest(wrong)
	case "response", "revisit":
		r.checkResponse(wrong)
	}
	return errs
}

func (r *Record) checkInfo(wrong func(string, ...any)) {
	if r.Field("Content-Type") != "application/warc-fields" {
		wrong("Content-Type %q", r.Field("Content-Type"))
	}
	for _, line := range strings.SplitAfter(string(r.Block), "\r\n") {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\r\n"), ":")
		if line != "" && (!ok || !token.MatchString(name) || strings.ContainsAny(value, "\r\n\x00")) {
			wrong("no field: %q", line)
		}
	}
}

func (r *Record) checkRequest(wrong func(string, ...any)) {
	if r.Field("Content-Type") != "application/http;msgtype=request" {
		wrong("Content-Type %q", r.Field("Content-Type"))
	}
	if _, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(r.Block))); err != nil {
		wrong("request: %v", err)
	}
	if len(r.Fields["warc-concurrent-to"]) != 1 {
		wrong("no WARC-Concurrent-To")
	}
	_, r.Payload, _ = bytes.Cut(r.Block, []byte("\r\n\r\n"))
	if r.PayloadDigest != "" && r.PayloadDigest != digest(r.Payload) {
		wrong("WARC-Payload-Digest")
	}
}

func (r *Record) checkResponse(wrong func(string, ...any)) {
	if r.Field("Content-Type") != "application/http;msgtype=response" {
		wrong("Content-Type %q", r.Field("Content-Type"))
	}
	head, payload, ok := bytes.Cut(r.Block, []byte("\r\n\r\n"))
	if !ok {
		wrong("no end of the head of the response")
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(r.Block)), nil)
	if err != nil {
		wrong("response: %v", err)
		return
	}
	resp.Body.Close()
	r.Response = resp
	length := resp.Header.Get("Content-Length")
	if len(resp.Header.Values("Content-Length")) != 1 || resp.Header.Get("Content-Encoding") != "" ||
		len(resp.TransferEncoding) > 0 || strings.Contains(strings.ToLower(string(head)), "\ntransfer-encoding:") {
		wrong("the head does not fit a decoded body: %q", head)
	}
	if !regexp.MustCompile(`^sha1:[A-Z2-7]{32}$`).MatchString(r.PayloadDigest) {
		wrong("WARC-Payload-Digest %q", r.PayloadDigest)
	}
	if r.Type == "response" {
		r.Payload = payload
		if length != strconv.Itoa(len(payload)) {
			wrong("Content-Length of the response is %s, its body has %d bytes", length, len(payload))
		}
		if r.PayloadDigest != digest(payload) {
			wrong("WARC-Payload-Digest is %q and should be %s", r.PayloadDigest, digest(payload))
		}
		return
	}
	if r.Field("WARC-Profile") != "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest" {
		wrong("WARC-Profile %q", r.Field("WARC-Profile"))
	}
	if len(payload) > 0 || r.Field("WARC-Truncated") != "length" {
		wrong("the block is to be truncated to the head, and said to be")
	}
	if !isURI(r.Field("WARC-Refers-To-Target-URI")) || !w3cDate.MatchString(r.Field("WARC-Refers-To-Date")) {
		wrong("it does not say what it refers to")
	}
}

// checkFile says what is wrong with the records of a file together.
func checkFile(records []*Record) (errs []error) {
	if len(records) == 0 {
		return []error{errors.New("no records")}
	}
	if records[0].Type != "warcinfo" {
		errs = append(errs, errors.New("no warcinfo at the beginning"))
	}
	events := map[string]*Record{}
	for _, r := range records {
		errs = append(errs, r.check()...)
		if events[r.ID] != nil {
			errs = append(errs, fmt.Errorf("%s stands twice", r.ID))
		}
		events[r.ID] = r
		if id := r.Field("WARC-Warcinfo-ID"); id != "" && id != records[0].ID {
			errs = append(errs, fmt.Errorf("record at %d names the warcinfo %s", r.Offset, id))
		}
	}
	asked := map[string]bool{}
	for _, r := range records {
		for _, id := range r.Fields["warc-concurrent-to"] {
			o := events[id]
			if o == nil || o.URI != r.URI || o.Date != r.Date || o.Type != "response" && o.Type != "revisit" {
				errs = append(errs, fmt.Errorf("record at %d is concurrent to %s, which is not there or not of the same event", r.Offset, id))
			}
			if asked[id] {
				errs = append(errs, fmt.Errorf("%s has two requests", id))
			}
			asked[id] = true
		}
	}
	return errs
}

// checkAll says what is wrong with all files together.
func (rep *Report) checkAll() (errs []error) {
	ids, responses := map[string]bool{}, map[string]string{}
	for _, r := range rep.Records {
		if ids[r.ID] {
			errs = append(errs, fmt.Errorf("%s stands twice", r.ID))
		}
		ids[r.ID] = true
		if r.Type == "response" {
			responses[r.Date+" "+r.URI] = r.PayloadDigest
		}
		if r.Type == "revisit" {
			switch d, ok := responses[r.Field("WARC-Refers-To-Date")+" "+r.Field("WARC-Refers-To-Target-URI")]; {
			case !ok:
				errs = append(errs, fmt.Errorf("revisit %s refers to what is not there before it", r.URI))
			case d != r.PayloadDigest:
				errs = append(errs, fmt.Errorf("revisit %s refers to another payload", r.URI))
			}
		}
	}
	return errs
}

func isURI(s string) bool {
	_, err := url.Parse(s)
	return err == nil && uriChars.MatchString(s) && !strayPct.MatchString(s)
}

func digest(b []byte) string {
	sum := sha1.Sum(b)
	return "sha1:" + base32.StdEncoding.EncodeToString(sum[:])
}

// Index holds the CDXJ index of a file against the file: its lines are sorted and
// each leads to the member of its record, and no response or revisit is missing.
func Index(index, file []byte, filename string) error {
	var errs []error
	listed := map[int64]bool{}
	last := ""
	for line := range strings.Lines(string(index)) {
		if line <= last {
			errs = append(errs, fmt.Errorf("not sorted: %q", line))
		}
		last = line
		if err := checkLine(strings.TrimSuffix(line, "\n"), file, filename, listed); err != nil {
			errs = append(errs, fmt.Errorf("%w: %q", err, line))
		}
	}
	rep, err := Validate(bytes.NewReader(file))
	if err != nil && !strings.Contains(err.Error(), "is not there before it") {
		errs = append(errs, err)
	}
	for _, r := range rep.Records {
		if (r.Type == "response" || r.Type == "revisit") != listed[r.Offset] {
			errs = append(errs, fmt.Errorf("%s at %d: listed is %v", r.Type, r.Offset, listed[r.Offset]))
		}
	}
	return errors.Join(errs...)
}

func checkLine(line string, file []byte, filename string, listed map[int64]bool) error {
	parts := strings.SplitN(line, " ", 3)
	if len(parts) != 3 {
		return errors.New("not three parts")
	}
	var e struct{ URL, Mime, Status, Digest, Length, Offset, Filename string }
	if err := json.Unmarshal([]byte(parts[2]), &e); err != nil {
		return err
	}
	offset, err1 := strconv.ParseInt(e.Offset, 10, 64)
	length, err2 := strconv.ParseInt(e.Length, 10, 64)
	if err1 != nil || err2 != nil || offset < 0 || length < 0 || offset+length > int64(len(file)) {
		return errors.New("offset or length")
	}
	one := Report{Types: map[string]int{}}
	if err := one.read(bytes.NewReader(file[offset : offset+length])); err != nil {
		return err
	}
	if len(one.Records) != 1 {
		return fmt.Errorf("%d members", len(one.Records))
	}
	r := one.Records[0]
	if errs := r.check(); len(errs) > 0 {
		return errors.Join(errs...)
	}
	if r.Response == nil {
		return errors.New("no response")
	}
	date := strings.NewReplacer("-", "", ":", "", "T", "", "Z", "").Replace(r.Date)
	mime, _, _ := strings.Cut(r.Response.Header.Get("Content-Type"), ";")
	if r.Type == "revisit" {
		mime = "warc/revisit"
	}
	got := []string{parts[1], e.URL, strings.TrimSpace(e.Mime), e.Status, e.Digest, e.Filename}
	want := []string{date[:14], r.URI, strings.TrimSpace(mime), fmt.Sprintf("%03d", r.Response.StatusCode), r.PayloadDigest, filename}
	if !slices.Equal(got, want) {
		return fmt.Errorf("the record says %q", want)
	}
	listed[offset] = true
	return nil
}
