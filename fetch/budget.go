package fetch

// Budget bounds the memory that the bodies of all exchanges together take. It may
// be shared by several Fetchers, and used concurrently.
type Budget struct{}
