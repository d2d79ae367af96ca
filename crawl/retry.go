package crawl

import (
	"math/rand/v2"
	"time"

	"pawl/storage"
)

const (
	firstBackoff = time.Second
	maxBackoff   = 5 * time.Minute
)

// transient tells whether a failure may pass by itself. The table is in
// docs/cli.md.
func transient(class storage.Class, status int) bool {
	switch class {
	case storage.DNS, storage.Connect, storage.Timeout, storage.Reset, storage.Throttled:
		return true
	case storage.Protocol:
		// A connection that is cut within the header looks like this too. An
		// answer that has a status was understood, and will be the same again.
		return status == 0
	case storage.NoClass:
		switch status {
		case 408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524:
			return true
		}
	}
	return false
}

// retryAfter decides whether a job whose attempt-th attempt (from 1) failed is
// asked again, and after how long: exponential from one second, doubled with
// each attempt, half to one and a half times that by chance, five minutes at
// the most, but never before the server wants it.
func retryAfter(class storage.Class, status, attempt, retries int, wish time.Duration) (wait time.Duration, ok bool) {
	if attempt > retries || !transient(class, status) {
		return 0, false
	}
	backoff := min(firstBackoff<<min(attempt-1, 20), maxBackoff)
	backoff = backoff/2 + rand.N(backoff)
	return max(backoff, wish), true
}
