package weburl

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	whatwg "github.com/nlnwa/whatwg-url/url"
)

// Rules are the rules of canonical spelling that are a matter of choice. They are fixed when a crawl is made, since other
// rules would give known addresses another spelling.
//
// A name is an exact name, or the start of names followed by an asterisk: "utm_*". Names are compared byte by byte, as
// they stand in the address: neither letter case nor percent-encoding is folded.
type Rules struct {
	// Version tells how the rules are applied. There is only version 1.
	Version int `json:"version"`
	// DropParams names the parameters that are taken out of queries: name=value or name alone, between "&". When nothing
	// is left of the query, its question mark goes too.
	DropParams []string `json:"drop_params"`
	// DropPathParams names the parameters that are taken out of paths, where they follow a segment: ";name=value".
	DropPathParams []string `json:"drop_path_params"`
}

// DefaultRules returns rules that drop the parameters with which advertisers and analysts mark links, and the session
// ids of servers that put them into addresses. Names that also mean other things, such as "sid" or "ref", are kept.
func DefaultRules() Rules {
	return Rules{
		Version: 1,
		DropParams: []string{
			// Campaigns and analytics.
			"utm_*", "_ga", "_gl", "pk_campaign", "pk_kwd", "mtm_*", "piwik_campaign", "piwik_kwd",
			"mc_cid", "mc_eid", "_hsenc", "_hsmi", "hsCtaTracking", "__hstc", "__hssc", "__hsfp",
			"mkt_tok", "vero_id", "vero_conv", "oly_anon_id", "oly_enc_id", "_openstat", "wickedid",
			// Clicks on advertisements.
			"gclid", "gclsrc", "dclid", "gbraid", "wbraid", "gad_source", "gad_campaignid", "srsltid",
			"fbclid", "msclkid", "yclid", "ysclid", "ymclid", "twclid", "ttclid", "li_fat_id", "igshid", "igsh",
			"rb_clickid", "s_cid", "ScCid", "epik",
			// Sessions.
			"PHPSESSID", "phpsessid", "JSESSIONID", "jsessionid", "ASPSESSIONID*", "aspsessionid*", "CFID", "CFTOKEN",
			"cfid", "cftoken", "osCsid", "XTCsid", "zenid",
		},
		DropPathParams: []string{"jsessionid"},
	}
}

// Speller spells addresses by fixed rules. It does not change and may be used concurrently.
type Speller struct {
	parser whatwg.Parser
	query  names
	path   names
}

// New returns a Speller for the rules, or an error that says which of them makes no sense.
func New(r Rules) (*Speller, error) {
	if r.Version != 1 {
		return nil, fmt.Errorf("rules of canonical spelling: unknown version %d", r.Version)
	}
	query, err := newNames(r.DropParams)
	if err != nil {
		return nil, err
	}
	path, err := newNames(r.DropPathParams)
	if err != nil {
		return nil, err
	}
	return &Speller{parser: newParser(), query: query, path: path}, nil
}

// names is a set of parameter names. The zero value is empty.
type names struct {
	exact    map[string]struct{}
	prefixes []string
	first    [256]bool // the bytes with which a name of the set may start: most parameters need no further look
	all      bool      // "*" was among them
}

func newNames(patterns []string) (names, error) {
	n := names{exact: make(map[string]struct{})}
	for _, pattern := range patterns {
		prefix, isPrefix := strings.CutSuffix(pattern, "*")
		if pattern == "" || strings.ContainsFunc(prefix, notInName) {
			return names{}, fmt.Errorf("parameter to drop: %q is no name of a parameter", pattern)
		}
		switch {
		case prefix == "":
			n.all = true
			continue
		case isPrefix:
			n.prefixes = append(n.prefixes, prefix)
		default:
			n.exact[pattern] = struct{}{}
		}
		n.first[prefix[0]] = true
	}
	return n, nil
}

func notInName(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`&=;/?#*"'<>`, r)
}

func (n *names) empty() bool {
	return len(n.exact) == 0 && len(n.prefixes) == 0 && !n.all
}

func (n *names) has(name []byte) bool {
	if n.all {
		return true
	}
	if len(name) == 0 || !n.first[name[0]] {
		return false
	}
	if _, ok := n.exact[string(name)]; ok {
		return true
	}
	return slices.ContainsFunc(n.prefixes, func(prefix string) bool {
		return len(name) >= len(prefix) && string(name[:len(prefix)]) == prefix
	})
}

// drop takes the parameters to drop out of an address in WHATWG spelling, in place, and returns what is left.
func (s *Speller) drop(addr []byte) []byte {
	if i := bytes.IndexByte(addr, '?'); i >= 0 {
		addr = s.dropQuery(addr, i)
	}
	if bytes.IndexByte(addr, ';') >= 0 && !s.path.empty() {
		addr = s.dropPath(addr)
	}
	return addr
}

// dropQuery treats the query that starts with the question mark at addr[mark].
func (s *Speller) dropQuery(addr []byte, mark int) []byte {
	kept := addr[:mark+1]
	dropped, first := false, true
	for rest, more := addr[mark+1:], true; more; {
		var param []byte
		param, rest, more = bytes.Cut(rest, []byte("&"))
		name, _, _ := bytes.Cut(param, []byte("="))
		if s.query.has(name) {
			dropped = true
			continue
		}
		// What is kept never overtakes what is read. Until something is dropped, bytes are copied onto themselves.
		if !first {
			kept = append(kept, '&')
		}
		kept = append(kept, param...)
		first = false
	}
	if dropped && len(kept) == mark+1 {
		return kept[:mark]
	}
	return kept
}

// dropPath treats the path. A parameter ends where the next one, the next segment or the query starts.
func (s *Speller) dropPath(addr []byte) []byte {
	root := rootOf(addr)
	query := len(addr)
	if i := bytes.IndexByte(addr, '?'); i >= 0 {
		query = i
	}
	kept := addr[:root]
	segment := root // where the last segment starts in kept
	for i := root; i < query; {
		end := i + 1
		for end < query && addr[end] != '/' && addr[end] != ';' {
			end++
		}
		part := addr[i:end]
		i = end
		switch part[0] {
		case '/':
			segment = len(kept) + 1
		case ';':
			// Without its parameter "..;jsessionid=1" would mean the parent.
			name, _, hasValue := bytes.Cut(part[1:], []byte("="))
			if hasValue && s.path.has(name) && !isDots(kept[segment:]) {
				continue
			}
		}
		kept = append(kept, part...)
	}
	return append(kept, addr[query:]...)
}
