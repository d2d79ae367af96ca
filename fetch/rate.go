package fetch

// Rate bounds what all exchanges together take from the network, in bytes per
// second. It may be shared by several Fetchers, and used concurrently.
type Rate struct{}

// NewRate makes a Rate of so many bytes per second; 0: no bound.
func NewRate(perSecond int64) *Rate { return &Rate{} }

// Set changes the bound, for exchanges under way too.
func (r *Rate) Set(perSecond int64) {}
