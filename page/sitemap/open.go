package sitemap

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/net/html/charset"
)

// maxLayers is how often a file may be compressed: once as it stands on the disk of the server, and once more by a server
// that does not say so.
const maxLayers = 2

const gzipMagic = "\x1f\x8b"

var errLayers = errors.New("gzip within gzip within gzip")

// open returns the file without its layers of gzip, in an encoding in which markup is ASCII, and the name of the encoding
// that it says to be in, if it is another one than UTF-8.
func open(in Input, cut *bool) (src io.Reader, label string, err error) {
	file := bufio.NewReader(&limited{src: in.Body, left: MaxBytes, cut: cut})
	for layers := 0; hasMagic(file); layers++ {
		if layers == maxLayers {
			return nil, "", errLayers
		}
		// Each layer has the limit: what unpacks to next to nothing may itself be unpacked from next to nothing.
		file = bufio.NewReader(&limited{src: &gunzip{src: file}, left: MaxBytes, cut: cut})
	}
	head, _ := file.Peek(sniffLength)
	if name := wideEncoding(head); name != "" {
		return decoder(name, file), "", nil
	}
	switch label = encodingName(in.ContentType, head); label {
	case "iso-2022-jp": // in which the bytes of "<" and "&" are parts of letters
		return decoder(label, file), "", nil
	case "utf-8", "replacement", "utf-16le", "utf-16be": // the last two: it is not, or nothing of this could be read
		label = ""
	}
	return file, label, nil
}

func hasMagic(file *bufio.Reader) bool {
	head, _ := file.Peek(len(gzipMagic))
	return string(head) == gzipMagic
}

// wideEncoding returns the name of the encoding of a file that starts with two bytes for each character, else nothing.
func wideEncoding(head []byte) string {
	if len(head) < 4 {
		return ""
	}
	switch {
	case head[0] == 0xff && head[1] == 0xfe, head[0] != 0 && head[1] == 0 && head[2] != 0 && head[3] == 0:
		return "utf-16le"
	case head[0] == 0xfe && head[1] == 0xff, head[0] == 0 && head[1] != 0 && head[2] == 0 && head[3] != 0:
		return "utf-16be"
	}
	return ""
}

func decoder(name string, src io.Reader) io.Reader {
	e, _ := charset.Lookup(name)
	return e.NewDecoder().Reader(src)
}

// encodingName returns the name of the encoding by the header, else by the XML declaration, empty if there is none that is
// known.
func encodingName(contentType string, head []byte) string {
	if _, name := charset.Lookup(param([]byte(contentType), "charset")); name != "" {
		return name
	}
	start := bytes.Index(head, []byte("<?xml"))
	if start < 0 {
		return ""
	}
	declaration, _, _ := bytes.Cut(head[start:], []byte(">"))
	_, name := charset.Lookup(param(declaration, "encoding"))
	return name
}

// param returns the value that follows a name, "=" and perhaps quotes.
func param(text []byte, name string) string {
	const most = 40
	_, value, _ := bytes.Cut(bytes.ToLower(text), []byte(name))
	value, found := bytes.CutPrefix(bytes.TrimLeft(value, " \t\r\n"), []byte("="))
	if !found {
		return ""
	}
	value = bytes.TrimLeft(value, " \t\r\n\"'")
	if i := bytes.IndexAny(value, " \t\r\n\"';,?"); i >= 0 {
		value = value[:i]
	}
	return string(value[:min(len(value), most)])
}

// limited ends a stream early, and says so.
type limited struct {
	src  io.Reader
	left int
	cut  *bool
}

func (l *limited) Read(b []byte) (int, error) {
	if l.left == 0 {
		var more [1]byte
		n, err := l.src.Read(more[:])
		if n > 0 {
			*l.cut = true
			err = io.EOF
		}
		return 0, err
	}
	n, err := l.src.Read(b[:min(len(b), l.left)])
	l.left -= n
	return n, err
}

// gunzip reads the members of a gzip file one after the other. What follows the last is passed over: plug-ins append a
// comment to what they serve without asking what it is.
type gunzip struct {
	src    *bufio.Reader
	z      gzip.Reader
	member bool
}

func (g *gunzip) Read(b []byte) (int, error) {
	for {
		if !g.member {
			if !hasMagic(g.src) {
				return 0, io.EOF
			}
			if err := g.z.Reset(g.src); err != nil {
				return 0, g.fault(err)
			}
			g.z.Multistream(false)
			g.member = true
		}
		n, err := g.z.Read(b)
		if err == io.EOF {
			g.member, err = false, nil
		}
		if n > 0 {
			return n, nil // an error comes again
		}
		if err != nil {
			return 0, g.fault(err)
		}
	}
}

// fault words an error. The end of the file within a member is not the end of what it holds.
func (g *gunzip) fault(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("gzip: %w", io.ErrUnexpectedEOF)
	}
	return err
}
