package fetch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"
)

// Class names what kept a page from being had. A plain answer, good or bad,
// has none. The names are those of the column error_class.
type Class string

const (
	// None is for an exchange that went well, a 404 among them.
	None Class = ""
	// DNS is for a host name that could not be looked up, now or at all.
	DNS Class = "dns"
	// Connect is for a host that refused or could not be reached.
	Connect Class = "connect"
	// TLS is for a handshake or a certificate that was no good.
	TLS Class = "tls"
	// TimedOut is for time that ran out, in any step.
	TimedOut Class = "timeout"
	// Reset is for a connection that was lost before the answer was complete.
	Reset Class = "reset"
	// Protocol is for an answer that is not sound HTTP.
	Protocol Class = "protocol"
	// Throttled is for an answer of 429 or 503: the host wants to be left
	// alone for a while.
	Throttled Class = "throttled"
	// PrivateAddress is for a host at an address that is not public.
	PrivateAddress Class = "private_address"
	// Aborted is for an exchange that the caller ended, or that had no memory for its
	// body: see Response.Crowded.
	Aborted Class = "aborted"
)

// maxErr is the longest text of an error, in bytes.
const maxErr = 200

// beforeRequest says that nothing can have been asked.
func (c Class) beforeRequest() bool {
	return c == DNS || c == Connect || c == TLS || c == PrivateAddress
}

// classify puts an error of net/http into a class, and into a few words.
// Causes are tried from the outside in: what belongs to a step is an error
// of a type; net/http has only words for the rest.
func classify(err error) (Class, string) {
	var (
		guarded   *guardError
		lookup    *net.DNSError
		handshake *handshakeError
		encoding  *encodingError
		op        *net.OpError
		timeout   net.Error
	)
	errors.As(err, &op)
	inHandshake := errors.As(err, &handshake)
	switch {
	case errors.As(err, &guarded):
		return PrivateAddress, oneLine(guarded.Error())
	case errors.As(err, &encoding):
		return Protocol, oneLine(encoding.Error())
	case errors.As(err, &lookup):
		return DNS, lookupReason(lookup)
	case errors.As(err, &timeout) && timeout.Timeout():
		switch {
		case inHandshake:
			return TimedOut, "TLS handshake timed out"
		case op != nil && op.Op == "dial":
			return TimedOut, "connect timed out"
		}
		return TimedOut, "no answer in time"
	case op != nil && op.Op == "dial":
		return Connect, oneLine(innermost(op).Error())
	case lostConnection(err, op):
		return Reset, lossReason(err)
	case inHandshake || isTLS(err):
		return TLS, tlsReason(err)
	}
	return Protocol, oneLine(protocolReason(err))
}

// noRoute tells whether an error is that of a machine that knows no way.
func noRoute(err error) bool {
	if trouble := (*proxyError)(nil); errors.As(err, &trouble) {
		err = trouble.cause
	}
	var (
		op    *net.OpError
		errno syscall.Errno
	)
	return errors.As(err, &op) && errors.As(op, &errno) && isNoRoute(errno)
}

func lookupReason(err *net.DNSError) string {
	switch {
	case err.IsNotFound:
		return "no such host"
	case err.IsTimeout:
		return "lookup timed out"
	}
	return oneLine(err.Err)
}

// lostConnection reports whether the other side went away. Any failed read or
// write of a connection counts, so that no list of system errors is needed.
func lostConnection(err error, op *net.OpError) bool {
	if op != nil && (op.Op == "read" || op.Op == "write") {
		return true
	}
	for _, target := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, target) {
			return true
		}
	}
	var stream streamError
	if errors.As(err, &stream) {
		return stream.fromPeer()
	}
	// These have no type that can be named.
	text := err.Error()
	return strings.Contains(text, "server closed idle connection") ||
		strings.Contains(text, "unexpected EOF reading trailer") ||
		strings.Contains(text, "server sent GOAWAY") ||
		strings.Contains(text, "client connection lost") ||
		strings.Contains(text, "client connection force closed")
}

// streamError has the fields of the error by which net/http tells that an
// HTTP/2 stream was reset; errors.As fills it in.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return "stream error" }

// fromPeer tells a stream that the server gave up from one that net/http did,
// because of what the server sent.
func (e streamError) fromPeer() bool {
	return e.Cause != nil && e.Cause.Error() == "received from peer"
}

func lossReason(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return oneLine(errno.Error())
	}
	var stream streamError
	if errors.As(err, &stream) {
		return "stream reset by peer"
	}
	return "connection closed before the answer was complete"
}

func isTLS(err error) bool {
	var (
		record tls.RecordHeaderError
		alert  tls.AlertError
		verify *tls.CertificateVerificationError
	)
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &verify) ||
		strings.HasPrefix(plain(err), "local error: tls: ") || strings.HasPrefix(plain(err), "remote error: tls: ")
}

func tlsReason(err error) string {
	var (
		invalid   x509.CertificateInvalidError
		host      x509.HostnameError
		authority x509.UnknownAuthorityError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		if time.Now().Before(invalid.Cert.NotBefore) {
			return "certificate not valid before " + invalid.Cert.NotBefore.UTC().Format(time.DateOnly)
		}
		return "certificate expired on " + invalid.Cert.NotAfter.UTC().Format(time.DateOnly)
	case errors.As(err, &host):
		return "certificate is for another host"
	case errors.As(err, &authority):
		return "certificate signed by unknown authority"
	}
	text := plain(err)
	for _, prefix := range []string{"remote error: ", "local error: ", "tls: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return oneLine(text)
}

// plain is the text of an error without the name of the place in net/http that
// met it.
func plain(err error) string { return strings.TrimPrefix(err.Error(), "readLoopPeekFailLocked: ") }

func protocolReason(err error) string {
	text := plain(err)
	if strings.HasSuffix(text, "%!w(<nil>)") { // net/http wraps an error that is none
		return "the server answered before it was asked"
	}
	for _, prefix := range []string{"net/http: HTTP/1.x transport connection broken: ", "net/http: ", "http: ", "http2: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}

func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// oneLine makes text of an error, which a server may have written, fit to be
// shown: one line, no control characters, at most maxErr bytes.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= maxErr {
		return s
	}
	end := maxErr
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
