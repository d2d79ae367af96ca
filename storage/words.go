package storage

import "fmt"

// Outcome says how a job ended. The numbers are stored: append only.
type Outcome uint8

const (
	Fetched    Outcome = 1 + iota // an answer below 400 that is not a redirect
	Redirected                    // a redirect; its target is a job of its own
	Failed                        // an answer from 400 on, or no answer: see Class
	Blocked                       // robots.txt forbids it; no request was made
	outcomes
)

var outcomeNames = [outcomes]string{"", "fetched", "redirected", "failed", "blocked"}

func (o Outcome) String() string { return name(outcomeNames[:], int(o), "outcome") }

// Class says why a job failed that has no plain HTTP status to say it. The
// numbers are stored: append only.
type Class uint8

const (
	NoClass Class = iota
	DNS
	Connect
	TLS
	Timeout
	Reset
	Protocol
	Throttled
	PrivateAddress
	Robots // robots.txt could not be had and the host was given up
	Aborted
	Crashed
	classes
)

var classNames = [classes]string{
	"", "dns", "connect", "tls", "timeout", "reset", "protocol", "throttled",
	"private_address", "robots", "aborted", "crashed",
}

func (c Class) String() string { return name(classNames[:], int(c), "class") }

// ParseClass is the inverse of Class.String; ok is false for an unknown name.
func ParseClass(s string) (c Class, ok bool) {
	for i, n := range classNames {
		if n == s {
			return Class(i), true
		}
	}
	return 0, false
}

// Reason says why a link was not admitted to the queue. The numbers are
// stored: append only.
type Reason uint8

const (
	NoReason    Reason = iota
	OutOfScope         // outside --scope
	NotIncluded        // no --include matches
	Excluded           // an --exclude matches
	TooDeep            // beyond --max-depth
	NoFollow           // rel=nofollow or robots meta
	TooLong            // the address is longer than the guard allows
	Repeating          // the same path segment too often
	TooManySegments
	TooManyParams
	TooManyRedirects // beyond --max-redirects
	Asset            // a part of a page, without --assets
	Parked           // of a pattern that was found to be a trap
	Form             // the address of a form, without --forms
	Sitemaps         // a sitemap, with --sitemaps off, or of a host that names too many
	reasons
)

var reasonNames = [reasons]string{
	"", "scope", "include", "exclude", "depth", "nofollow", "url_length", "repeated_segments",
	"path_segments", "query_params", "redirects", "assets", "parked", "forms", "sitemaps",
}

func (r Reason) String() string { return name(reasonNames[:], int(r), "reason") }

func name(names []string, i int, what string) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s(%d)", what, i)
}
