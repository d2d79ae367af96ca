package fakeweb

import (
	"net/http"
	"strings"
)

// Handler answers for the hosts 0, 1 and so on at the given roots, such as
// "http://127.0.0.5:8080/". Which of them is asked the Host header says; any other
// is a 421. Links between them carry these roots and go to no other host.
func (w *Web) Handler(roots []string) http.Handler {
	v := rootedAt(roots)
	hosts := v.byName()
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h, ok := hosts[r.Host]
		if !ok {
			http.Error(rw, "no such host", http.StatusMisdirectedRequest)
			return
		}
		w.serve(rw, r, v, h)
	})
}

// byName returns the numbers of hosts that have roots, by name and port.
func (v *names) byName() map[string]int {
	hosts := make(map[string]int, len(v.roots))
	for h, root := range v.roots {
		_, name, _ := strings.Cut(root, "://")
		hosts[name] = h
	}
	return hosts
}

// Ledger knows the truth about a crawl from all roots as [Web.Expected] does, but
// address by address, and holds none of them: for webs of so many pages that a map
// would be large. It numbers all addresses, so that an array can say something of
// each. It is safe for concurrent use.
type Ledger struct {
	w     *Web
	v     *names
	hosts map[string]int
	slots int // numbers that a page takes: its own, and those of what only it leads to
}

// What the numbers of a page stand for.
const (
	slotPage = iota
	slotPrivate
	slotNofollow
	slotHop // the first of them
)

// Ledger returns the truth about a crawl of the hosts 0, 1 and so on at the given
// roots.
func (w *Web) Ledger(roots []string) *Ledger {
	v := rootedAt(roots)
	hops := 2 // of a loop
	if w.o.Faults.Chain > 0 {
		hops = max(hops, w.o.Faults.ChainHops)
	}
	return &Ledger{w: w, v: v, hosts: v.byName(), slots: slotHop + hops}
}

// Size is one more than the largest number.
func (l *Ledger) Size() int { return l.v.hosts * l.w.o.Pages * l.slots }

// Number returns the number of an address. Tracking parameters make no difference.
// ok is false when it is none that the web links to, such as that of a robots.txt.
func (l *Ledger) Number(address string) (n int, ok bool) {
	_, rest, ok := strings.Cut(address, "://")
	slash := strings.IndexByte(rest, '/')
	if !ok || slash < 0 {
		return 0, false
	}
	return l.Asked(rest[:slash], rest[slash:])
}

// Asked is Number for a host with its port, and a path with its query.
func (l *Ledger) Asked(host, target string) (n int, ok bool) {
	h, ok := l.hosts[host]
	if !ok {
		return 0, false
	}
	p, _, ok := l.w.find(h, target)
	if !ok {
		return 0, false
	}
	n = (h*l.w.o.Pages + p.n) * l.slots
	switch p.place {
	case placePage:
		return n + slotPage, true
	case placePrivate:
		return n + slotPrivate, true
	case placeNofollow:
		return n + slotNofollow, true
	case placeHop:
		return n + slotHop + p.k - 1, true
	}
	return 0, false
}

// Row returns the truth about the address of a number, without its depth. ok is
// false when a crawl finds no such address.
func (l *Ledger) Row(n int) (row Row, ok bool) {
	if n < 0 || n >= l.Size() {
		return Row{}, false
	}
	slot := n % l.slots
	n /= l.slots
	p := node{h: n / l.w.o.Pages, n: n % l.w.o.Pages}
	kind := l.w.kind(p.h, p.n)
	nofollow := l.w.look(p.h, p.n).nofollow
	switch {
	case slot == slotPage:
		// The tree leads to every page.
	case slot == slotPrivate:
		p.place, ok = placePrivate, isPage(kind) && l.w.linksPrivate(p.h, p.n)
	case slot == slotNofollow:
		p.place, ok = placeNofollow, isPage(kind) && l.w.linksNofollow(p.h, p.n)
		nofollow = true
	default:
		p.place, p.k = placeHop, slot-slotHop+1
		ok = kind == Chain && p.k <= l.w.o.Faults.ChainHops || kind == Loop && p.k <= 2
	}
	switch {
	case p.place == placePage, ok && (p.place == placeHop || !nofollow):
		return l.w.row(Walk{}, l.v, p), true
	case ok:
		return Row{URL: string(l.w.appendURL(nil, l.v, p)), Host: p.h, Kind: l.w.kindOf(p), Outcome: Skipped, Reason: "nofollow"}, true
	}
	return Row{}, false
}
