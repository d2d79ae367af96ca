package crawl

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pawl/storage"
)

// cable is the way to a web, and what a probe says of it. It can be pulled.
type cable struct {
	http.RoundTripper
	mu     sync.Mutex
	gone   func(r *http.Request) (*http.Response, error) // instead of the web; nil: it is there
	says   error                                         // what a probe says
	tried  int                                           // requests that did not come through
	probes int
}

func (c *cable) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	gone := c.gone
	if gone != nil {
		c.tried++
	}
	c.mu.Unlock()
	if gone != nil {
		return gone(r)
	}
	return c.RoundTripper.RoundTrip(r)
}

func (c *cable) probe(context.Context, []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.probes++
	return c.says
}

// pull cuts the way after a while, and mends it after another.
func (c *cable) pull(after, mended time.Duration, says error, gone func(r *http.Request) (*http.Response, error)) {
	set := func(says error, gone func(*http.Request) (*http.Response, error)) func() {
		return func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.says, c.gone = says, gone
		}
	}
	time.AfterFunc(after, set(says, gone))
	time.AfterFunc(mended, set(nil, nil))
}

var errNoRoute = errors.New("no route to any network")

// Ways in which a web is gone.
func noRoute(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
}

func connectionRefused(*http.Request) (*http.Response, error) { return nil, refused.err }

func noName(*http.Request) (*http.Response, error) { return nil, noHost.err }

func silence(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// flaky fails in another way each time.
func flaky() func(r *http.Request) (*http.Response, error) {
	var n atomic.Int64
	return func(r *http.Request) (*http.Response, error) {
		switch n.Add(1) % 5 {
		case 0:
			return noName(r)
		case 1:
			return noRoute(r)
		case 2:
			return silence(r)
		case 3:
			return nil, reset.err
		}
		return connectionRefused(r)
	}
}

// onCable is a site of hosts with so many pages each, behind a cable.
func onCable(t *testing.T, hosts, pages int) (*site, *cable) {
	t.Helper()
	var seeds []string
	for i := range hosts {
		seeds = append(seeds, fmt.Sprintf("http://www.h%d.com/", i))
	}
	s, p := onPaper(t, seeds...)
	for _, seed := range seeds {
		numbered(p, strings.TrimSuffix(seed, "/"), pages, linking())
	}
	c := &cable{RoundTripper: p}
	s.opt.Transport, s.opt.Probe = c, c.probe
	return s, c
}

// wantUncharged holds that all pages were fetched at their first attempt.
func (s *site) wantUncharged(pages int) {
	s.t.Helper()
	all := s.outcomes()
	if len(all) != pages {
		s.t.Errorf("%d outcomes, want %d", len(all), pages)
	}
	for url, v := range all {
		if v.Outcome != storage.Fetched || v.Attempt != 1 {
			s.t.Errorf("%s: %s %s at attempt %d", url, v.Outcome, v.Class, v.Attempt)
		}
	}
}

// What fails while the network is gone is charged to nobody, however it fails and
// however long it takes: not with an attempt, and not with an outcome.
func TestNetworkIsGone(t *testing.T) {
	for _, hosts := range []int{1, 2, 20} {
		for name, gone := range map[string]func(r *http.Request) (*http.Response, error){
			"no route": noRoute, "refused": connectionRefused, "no name": noName, "silence": silence, "flaky": flaky(),
		} {
			t.Run(fmt.Sprintf("%d hosts, %s", hosts, name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, c := onCable(t, hosts, 20)
					s.opt.Retries = 0
					c.pull(time.Second, time.Hour, errNoRoute, gone)
					began := time.Now()
					s.finish()
					s.wantUncharged(21 * hosts)
					took := time.Since(began)
					if took < time.Hour || took > time.Hour+3*time.Minute {
						t.Errorf("it took %v", took)
					}
					// One at a time, each half minute.
					if most := 120 + 60; c.tried > most || c.probes > most {
						t.Errorf("%d tries and %d probes", c.tried, c.probes)
					}
				})
			})
		}
	}
}

// A crawl that is started without a network waits for it.
func TestNetworkIsNotThereYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := onCable(t, 3, 5)
		c.says, c.gone = errNoRoute, noName
		c.pull(0, time.Hour, errNoRoute, noName)
		s.finish()
		s.wantUncharged(18)
	})
}

// All hosts fail together although a probe finds the network, as behind a router
// that has lost its line: several hosts that gave pages before and are not reached
// any more are held to be an outage. But not for ever.
func TestHostsFailTogether(t *testing.T) {
	for name, gone := range map[string]func(r *http.Request) (*http.Response, error){
		"no route": noRoute, "refused": connectionRefused, "no name": noName,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := onCable(t, 5, 30)
				s.opt.Retries = 0
				c.pull(time.Second, 4*time.Minute, nil, gone)
				s.finish()
				s.wantUncharged(5 * 31)
			})
		})
	}
	t.Run("for good", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, c := onCable(t, 5, 30)
			s.opt.Retries = 1
			c.pull(time.Second, 1000*time.Hour, nil, connectionRefused)
			began := time.Now()
			sum := s.finish()
			if took := time.Since(began); took > time.Hour {
				t.Errorf("it took %v", took)
			}
			if n := sum.Counts.Classes[storage.Connect]; n < 50 {
				t.Errorf("%d failed", n)
			}
		})
	})
}

// Dead hosts among living ones are no outage, and nor is a list of dead hosts: they
// fail as ever, and soon.
func TestDeadHostsAreNoOutage(t *testing.T) {
	for _, dead := range []string{"one", "most", "all"} {
		t.Run(dead, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := onCable(t, 20, 3)
				var said bytes.Buffer
				s.opt.Log = slog.New(slog.NewTextHandler(&said, nil))
				s.opt.Retries = 2
				p := s.opt.Transport.(*cable).RoundTripper.(*paper)
				n := 0
				for i := range 20 {
					if dead == "one" && i != 4 || dead == "most" && i%5 == 0 {
						continue
					}
					n++
					host := fmt.Sprintf("http://www.h%d.com/", i)
					p.on(host, noHost)
					p.on(host+"robots.txt", noHost)
				}
				began := time.Now()
				sum := s.finish()
				// The table of retries, and robots.txt takes part in it.
				if took := time.Since(began); took > time.Minute {
					t.Errorf("it took %v", took)
				}
				if got := int(sum.Counts.Of(storage.Failed)); got != n {
					t.Errorf("%d failed of %d", got, n)
				}
				if strings.Contains(said.String(), "the network is gone") {
					t.Error(said.String())
				}
				if dead == "one" && c.probes > 3 {
					t.Errorf("%d probes though others answer", c.probes)
				}
			})
		})
	}
}

// A host whose resolver is none of the machine's answers though the probe says that
// the network is gone: to ask is the best probe.
func TestProbeIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := onCable(t, 1, 30)
		c.says = errors.New("the resolver does not answer")
		p := c.RoundTripper.(*paper)
		p.on("http://www.h0.com/7", noHost, linking())
		p.on("http://www.h0.com/9", reset, linking())
		began := time.Now()
		s.finish()
		s.wantUncharged(31)
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

// A run that is stopped or dies while the network is gone has lost nothing.
func TestStoppedWithoutNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := onCable(t, 7, 20)
		s.opt.Retries = 0
		for i := range 6 {
			c.pull(2*time.Second, 3*time.Minute, errNoRoute, flaky())
			if i%2 == 0 {
				s.killAfter(time.Duration(i+1) * 7 * time.Second)
			} else {
				s.stopAfter(time.Duration(i+1) * 7 * time.Second)
			}
			time.Sleep(5 * time.Minute)
		}
		s.finish()
		s.wantUncharged(21 * 7)
	})
}

// What holds the crawl is told, and what it does while it is held.
func TestOutageIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := onCable(t, 4, 20)
		var said bytes.Buffer
		s.opt.Log = slog.New(slog.NewTextHandler(&said, nil))
		c.pull(3*time.Second, time.Hour, errNoRoute, noRoute)
		began := time.Now()
		s.beside = func(ctx context.Context, c *Crawl) {
			time.Sleep(2 * time.Second)
			if h := c.Progress().Hold; h != nil {
				t.Errorf("held: %+v", h)
			}
			time.Sleep(30 * time.Minute)
			h := c.Progress().Hold
			if h == nil || h.Reason != HeldByNetwork || h.Text != errNoRoute.Error() || h.Since.Sub(began).Round(time.Minute) != time.Minute || h.Until.IsZero() {
				t.Errorf("held: %+v", h)
			}
			st, err := c.Status(ctx)
			if err != nil || st.State != "running" || st.Live.Hold == nil || st.Live.Hold.Reason != HeldByNetwork {
				t.Errorf("%+v %v", st, err)
			}
			time.Sleep(31 * time.Minute)
			if h := c.Progress().Hold; h != nil {
				t.Errorf("held: %+v", h)
			}
		}
		s.opt.Delay = time.Minute
		s.finish()
		if text := said.String(); strings.Count(text, "the network is gone") != 1 || strings.Count(text, "the network is back") != 1 {
			t.Error(text)
		}
	})
}

// portal answers for all hosts with a redirect, but for itself.
func portal(r *http.Request) (*http.Response, error) {
	h := http.Header{"Location": {"http://login.hotel.net/?to=" + r.URL.Host}}
	status := 302
	if r.URL.Host == "login.hotel.net" {
		h, status = http.Header{"Content-Type": {"text/html"}}, 200
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, Body: http.NoBody, Request: r,
	}, nil
}

// A captive portal is noticed: nothing that it says becomes a result.
func TestCaptivePortal(t *testing.T) {
	for name, from := range map[string]time.Duration{"later": 3 * time.Second, "from the start": 0} {
		for _, scope := range []Scope{ScopeHost, ScopeAny} {
			t.Run(name+", "+string(scope), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, c := onCable(t, 8, 20)
					s.opt.Scope = scope
					if from == 0 {
						c.gone = portal
					}
					c.pull(from, 4*time.Minute, nil, portal)
					s.finish()
					s.wantUncharged(8 * 21)
				})
			})
		}
	}
}

// Hosts that redirect to the same foreign host for good do not hold the crawl for
// good, and are rows in the end. So are a few of them among others, at once.
func TestRedirectsThatAreNoPortal(t *testing.T) {
	for _, moved := range []int{1, 2, 4, 20} {
		t.Run(fmt.Sprint(moved), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := onCable(t, 20, 2)
				p := c.RoundTripper.(*paper)
				for i := range moved {
					p.on(fmt.Sprintf("http://www.h%d.com/", i), answer{status: 301, header: map[string]string{"Location": "http://parked.net/"}})
				}
				s.opt.Probe = c.probe
				began := time.Now()
				sum := s.finish()
				if n := int(sum.Counts.Of(storage.Redirected)); n != moved {
					t.Errorf("%d redirected", n)
				}
				most := 30 * time.Second
				if moved == 20 {
					most = portalPatient + time.Minute
				}
				if took := time.Since(began); took > most {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// A machine that slept: what was in flight is lost with its connections and charged
// to nobody, hosts are asked no faster than before, and no sooner.
func TestSleep(t *testing.T) {
	for _, slept := range []time.Duration{time.Minute, 9 * time.Hour, 400 * 24 * time.Hour, -3 * time.Hour} {
		t.Run(slept.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := onCable(t, 6, 40)
				p := c.RoundTripper.(*paper)
				for url, say := range p.pages {
					p.pages[url] = func(n int) answer { return slow(say(n), 500*time.Millisecond) }
				}
				s.opt.Retries, s.opt.Delay = 0, 2*time.Second
				var asleep atomic.Bool
				s.clock = func() time.Time {
					if asleep.Load() {
						return time.Now().Add(slept)
					}
					return time.Now()
				}
				// Requests of that moment are never answered.
				if slept > 0 {
					c.pull(9*time.Second, 9*time.Second+600*time.Millisecond, nil, silence)
				}
				time.AfterFunc(9*time.Second+700*time.Millisecond, func() { asleep.Store(true) })
				began := time.Now()
				s.finish()
				s.wantUncharged(6 * 41)
				if took := time.Since(began); took > 5*time.Minute {
					t.Errorf("it took %v of the time awake", took)
				}
				for i := range 6 {
					if gap := p.gap(fmt.Sprintf("www.h%d.com", i)); gap < 2*time.Second {
						t.Errorf("a gap of %v", gap)
					}
				}
			})
		})
	}
}

// A network that passes nothing for a moment, and then has all connections reset, is
// there again when the next request goes out: that too is charged to nobody.
func TestNetworkIsGoneForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := onCable(t, 30, 30)
		s.opt.Retries, s.opt.Workers = 0, 30
		p := c.RoundTripper.(*paper)
		for url, say := range p.pages {
			p.pages[url] = func(n int) answer { return slow(say(n), 50*time.Millisecond) }
		}
		back := time.Now().Add(3 * time.Second)
		c.pull(1500*time.Millisecond, 3*time.Second, nil, func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Until(back))
			return nil, reset.err
		})
		s.finish()
		s.wantUncharged(30 * 31)
	})
}

// Hosts that hang or die for good beside others, or alone, are charged in the end,
// whatever they do together: the benefit of the doubt is had once.
func TestBadHostsTogetherAreCharged(t *testing.T) {
	ways := map[string]answer{"silence": slow(answer{}, time.Hour), "reset": reset, "refused": refused}
	for name, way := range ways {
		for _, living := range []time.Duration{0, 10 * time.Millisecond, 3 * time.Second} { // how long its answers take; 0: there is none
			for _, delay := range []time.Duration{0, 5 * time.Second, 40 * time.Second} {
				t.Run(fmt.Sprintf("%s beside %v, delay %v", name, living, delay), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s, c := onCable(t, 3, 12)
						var said bytes.Buffer
						s.opt.Log = slog.New(slog.NewTextHandler(&said, nil))
						s.opt.Delay, s.opt.Retries = delay, 1
						p := c.RoundTripper.(*paper)
						for i := range 3 {
							for n := 5; n <= 12; n++ {
								p.on(fmt.Sprintf("http://www.h%d.com/%d", i, n), way)
							}
						}
						if living > 0 {
							s.opt.Input.Args = append(s.opt.Input.Args, "http://www.living.com/")
							numbered(p, "http://www.living.com", 300, slow(answer{}, living))
							p.on("http://www.living.com/", slow(linking(numberedLinks(300)...), living))
						}
						began := time.Now()
						sum := s.finish()
						if n := sum.Counts.Of(storage.Failed); n != 24 {
							t.Errorf("%d failed", n)
						}
						most := 40 * time.Minute
						if living > 0 {
							most = max(most, 301*max(delay, living)*11/10)
						}
						if took := time.Since(began); took > most {
							t.Errorf("it took %v", took)
						}
						if n := strings.Count(said.String(), "the network is gone"); n > 3 {
							t.Errorf("%d outages\n%s", n, said.String())
						}
					})
				})
			}
		}
	}
}

func numberedLinks(n int) (links []string) {
	for i := range n {
		links = append(links, fmt.Sprintf("/%d", i+1))
	}
	return links
}

// A portal that nobody logs in to for hours is one all the same.
func TestPortalForHours(t *testing.T) {
	for name, gone := range map[string]func(*http.Request) (*http.Response, error){
		"redirects": portal,
		"false certificates": func(*http.Request) (*http.Response, error) {
			return nil, &tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: new(x509.Certificate), Host: "www.h0.com"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := onCable(t, 8, 60)
				s.opt.Retries = 1
				c.pull(3*time.Second, 9*time.Hour, nil, gone)
				s.finish()
				s.wantUncharged(8 * 61)
			})
		})
	}
}

// While nothing may be tried for another reason, nobody is to blame.
func TestOutageWhileNothingMayBeTried(t *testing.T) {
	for _, gone := range []func(*http.Request) (*http.Response, error){portal, connectionRefused} {
		for _, hold := range []string{"hours", "pause"} {
			t.Run(hold, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, c := onCable(t, 6, 60)
					s.opt.Retries = 0
					c.pull(3*time.Second, 13*time.Hour, nil, gone)
					if hold == "hours" {
						s.opt.Hours = "12:59-00:01,13:01-13:02,14:00-24:00" // the bubble begins at midnight
						s.clock = func() time.Time { return time.Now().UTC() }
					} else {
						s.beside = func(ctx context.Context, c *Crawl) {
							time.Sleep(10 * time.Second)
							if err := c.Pause(ctx); err != nil {
								t.Error(err)
							}
							time.Sleep(13 * time.Hour)
							if err := c.Resume(ctx); err != nil {
								t.Error(err)
							}
						}
					}
					s.finish()
					s.wantUncharged(6 * 61)
				})
			})
		}
	}
}

// A host rests after a request that is not charged, also when the run is stopped and
// another goes on.
func TestUnchargedRequestsCountForPoliteness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := onCable(t, 3, 8)
		s.opt.Delay = 20 * time.Second
		c.pull(30*time.Second, 3*time.Minute, errNoRoute, flaky())
		p := c.RoundTripper.(*paper)
		for i := range 12 {
			s.stopAfter(time.Duration(7+i) * time.Second)
		}
		s.finish()
		s.wantUncharged(27)
		for i := range 3 {
			if gap := p.gap(fmt.Sprintf("www.h%d.com", i)); gap < 20*time.Second {
				t.Errorf("a gap of %v", gap)
			}
		}
	})
}

// The number of attempts is bounded whenever a run is stopped.
func TestAttemptsOverStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := onCable(t, 1, 1)
		p := c.RoundTripper.(*paper)
		p.on("http://www.h0.com/1", slow(reset, 100*time.Millisecond))
		s.opt.Retries, s.opt.Delay = 1, 0
		for range 40 {
			s.stopAfter(150 * time.Millisecond)
		}
		s.finish()
		if n := p.of("http://www.h0.com/1"); n > 3 {
			t.Errorf("asked %d times", n)
		}
	})
}

// Pages that lead to other sites, each to its own, are no portal and wait for nobody.
func TestExitLinksAreNoPortal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := onCable(t, 3, 200)
		p := c.RoundTripper.(*paper)
		for i := range 3 {
			for n := range 200 {
				p.on(fmt.Sprintf("http://www.h%d.com/%d", i, n+1), moved(fmt.Sprintf("http://other%d-%d.org/", i, n)))
			}
		}
		began := time.Now()
		sum := s.finish()
		if n := sum.Counts.Of(storage.Redirected); n != 600 {
			t.Errorf("%d redirected", n)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// Hosts that are asked by their addresses answer though no name can be looked up: what
// has a name waits for that.
func TestNameServersAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := onCable(t, 4, 40)
		s.opt.Retries = 0
		p := c.RoundTripper.(*paper)
		s.opt.Input.Args = append(s.opt.Input.Args, "http://192.0.2.7/")
		numbered(p, "http://192.0.2.7", 300, linking())
		c.pull(2*time.Second, 5*time.Minute, errors.New("the name server does not answer"), func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "192.0.2.7" {
				return p.RoundTrip(r)
			}
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "i/o timeout", IsTimeout: true, IsTemporary: true}}
		})
		s.opt.Delay = 500 * time.Millisecond
		s.finish()
		s.wantUncharged(4*41 + 301)
	})
}
