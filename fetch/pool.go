package fetch

import "net/http"

// pool is where exchanges get their connections from. A Fetcher has one at a time.
type pool struct{ http.RoundTripper }

func (p *pool) closeIdle() {
	if c, ok := p.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Close closes the connections that no exchange is using. Exchanges under way
// are left alone, and the Fetcher can go on being used.
func (f *Fetcher) Close() { f.pool.Load().closeIdle() }

// Forget gives all connections up: no exchange that begins from now on uses one that
// was made before. It is for when the machine has slept or its network has changed:
// then they are dead, and nobody says so before the time of an exchange is over. Those
// that exchanges are using end with these, which go on; until then they do not count
// for Options.PerHost. With a Transport of one's own it is what Close is.
//
// It may be called concurrently with everything else.
func (f *Fetcher) Forget() {
	old := f.pool.Load()
	// HTTP/2 has connections that several exchanges share, and net/http has no means
	// to keep a new exchange off one of them: so the old pool is not used any more.
	if t, ok := old.RoundTripper.(*http.Transport); ok && f.opts.Transport == nil {
		f.pool.Store(&pool{t.Clone()})
	}
	old.closeIdle()
}

// leave says that an exchange is over on this pool. What it leaves in one that was given
// up would be kept for nobody.
func (f *Fetcher) leave(p *pool, t *trace) {
	isOld := p != f.pool.Load()
	if isOld {
		t.cut() // one of HTTP/2 is closed behind its last exchange then
	}
	t.over()
	if isOld {
		p.closeIdle()
	}
}
