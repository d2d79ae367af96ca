package weburl

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

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
	// SortQuery sorts what is left of queries by name, byte by byte; parameters of the same name keep their order, and all
	// keep their bytes. Empty parameters are taken out ("a&&b"), and so is a query that is empty. Without it, a server that
	// writes the same parameters in several orders has a page for each.
	SortQuery bool `json:"sort_query,omitempty"`
}

// DefaultRules returns rules that drop the parameters with which advertisers and analysts mark links, and the session
// ids of servers that put them into addresses. Names that also mean other things, such as "sid" or "ref", are kept: a
// parameter that is kept in vain costs a page fetched twice, one that is dropped in error loses pages.
func DefaultRules() Rules {
	return Rules{
		Version: 1,
		DropParams: []string{
			// Campaigns and analytics: Google, Matomo, Adobe, AT Internet, Mapp, Coremetrics, Parse.ly, Facebook, Yahoo.
			"utm_*", "_ga", "_gl", "ga_source", "ga_medium", "ga_campaign", "ga_content", "ga_term",
			"mtm_*", "pk_campaign", "pk_kwd", "pk_keyword", "pk_source", "pk_medium",
			"piwik_campaign", "piwik_kwd", "piwik_keyword", "matomo_campaign", "matomo_kwd", "matomo_keyword",
			"s_cid", "s_kwcid", "xtor", "wt_mc", "cm_mmc*", "_openstat", "wickedid",
			"itm_source", "itm_medium", "itm_campaign", "itm_content", "itm_term",
			"fb_action_ids", "fb_action_types", "fb_ref", "fb_source", "action_object_map", "action_ref_map", "action_type_map",
			"guccounter", "guce_referrer", "guce_referrer_sig", "__io_lv", "_io_session_id",
			// Mailings: Mailchimp, HubSpot, Marketo, Vero, Olytics, Eloqua, Klaviyo, Bronto, Listrak, dotdigital, Blueshift,
			// MailerLite, ClickDimensions, Springbot, Mindbox.
			"mc_cid", "mc_eid", "_hsenc", "_hsmi", "hsCtaTracking", "__hstc", "__hssc", "__hsfp",
			"mkt_tok", "vero_id", "vero_conv", "oly_anon_id", "oly_enc_id",
			"elqTrack", "elqTrackId", "elqaid", "elqat", "elqak", "elqCampaignId", "_ke", "_kx", "_bta_tid", "_bta_c",
			"trk_contact", "trk_msg", "trk_module", "trk_sid", "dm_i",
			"bsft_clkid", "bsft_eid", "bsft_mid", "bsft_uid", "bsft_aaid", "bsft_ek",
			"ml_subscriber", "ml_subscriber_hash", "_clde", "_cldee",
			"redirect_log_mongo_id", "redirect_mongo_id", "sb_referer_host", "mindbox-click-id", "mindbox-message-key",
			// Clicks on advertisements.
			"gclid", "gclsrc", "dclid", "gbraid", "wbraid", "gad_source", "gad_campaignid", "srsltid",
			"fbclid", "msclkid", "yclid", "ysclid", "ymclid", "twclid", "ttclid", "li_fat_id", "igshid", "igsh",
			"rb_clickid", "ScCid", "epik", "rdt_cid", "tblci", "dicbo", "irclickid", "irgwc", "tduid", "admitad_uid",
			"hsa_acc", "hsa_ad", "hsa_cam", "hsa_grp", "hsa_kw", "hsa_la", "hsa_mt", "hsa_net", "hsa_ol", "hsa_src", "hsa_tgt", "hsa_ver",
			"gdfms", "gdftrk", "gdffi", "mkwid", "vc_lpp", "_branch_match_id", "_branch_referrer",
			"adjust_tracker", "adjust_campaign", "adjust_adgroup", "adjust_creative", "adjust_referrer",
			// Sessions.
			"PHPSESSID", "phpsessid", "JSESSIONID", "jsessionid", "ASPSESSIONID*", "aspsessionid*", "CFID", "CFTOKEN",
			"cfid", "cftoken", "osCsid", "XTCsid", "zenid",
		},
		DropPathParams: []string{"jsessionid"},
	}
}

// With returns the rules as a user wants them for a crawl. keepQuery keeps all parameters that r drops, in queries and in
// paths; drop names parameters of queries to drop besides, exactly or by their start ("ref_*"); sortQuery sorts queries. The
// error says which name makes no sense and why. r stays as it is, and shares no memory with the result.
func (r Rules) With(keepQuery bool, drop []string, sortQuery bool) (Rules, error) {
	query, path := r.DropParams, r.DropPathParams
	if keepQuery {
		query, path = nil, nil
	}
	// Empty rather than nil, so that the rules look the same once they were JSON.
	r.DropParams = append([]string{}, query...)
	r.DropPathParams = append([]string{}, path...)
	r.SortQuery = sortQuery
	for _, name := range drop {
		if err := checkName(name); err != nil {
			return Rules{}, err
		}
		if !slices.Contains(r.DropParams, name) {
			r.DropParams = append(r.DropParams, name)
		}
	}
	return r, nil
}

// checkName says in words for a user what is wrong with the name of a parameter to drop.
func checkName(name string) error {
	prefix := strings.TrimSuffix(name, "*")
	i := strings.IndexFunc(prefix, notInName)
	switch {
	case name == "":
		return errors.New("the name of a parameter to drop is empty")
	case i < 0:
		return nil
	case prefix[i] == '*':
		return fmt.Errorf("%q is no name of a parameter: an asterisk may only stand at its end", name)
	case prefix[i] == '=':
		return fmt.Errorf("%q is no name of a parameter: give the name alone, %q", name, prefix[:i])
	case prefix[i] >= utf8.RuneSelf:
		return fmt.Errorf("%q is no name of a parameter: write it percent-encoded, as it stands in addresses", name)
	default:
		return fmt.Errorf("%q is no name of a parameter: %q cannot be part of one", name, prefix[i:i+1])
	}
}

// Speller spells addresses by fixed rules. It does not change and may be used concurrently.
type Speller struct {
	parser whatwg.Parser
	query  names
	path   names
	sort   bool
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
	return &Speller{parser: newParser(), query: query, path: path, sort: r.SortQuery}, nil
}

// names is a set of parameter names. The zero value is empty.
type names struct {
	exact    map[string]struct{}
	prefixes []string
	// sizes has, for each byte that a name of the set may start with, a bit for each length that it may have: most
	// parameters need no further look. The last bit is for all lengths from 63 on.
	sizes [256]uint64
	all   bool // "*" was among them
}

func newNames(patterns []string) (names, error) {
	n := names{exact: make(map[string]struct{})}
	for _, pattern := range patterns {
		if err := checkName(pattern); err != nil {
			return names{}, err
		}
		prefix, isPrefix := strings.CutSuffix(pattern, "*")
		if prefix == "" {
			n.all = true
			continue
		}
		size := uint64(1) << min(len(prefix), 63)
		if isPrefix {
			n.prefixes = append(n.prefixes, prefix)
			size = -size // this bit and all above
		} else {
			n.exact[pattern] = struct{}{}
		}
		n.sizes[prefix[0]] |= size
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
	if len(name) == 0 || n.sizes[name[0]]>>min(len(name), 63)&1 == 0 {
		return false
	}
	if _, ok := n.exact[string(name)]; ok {
		return true
	}
	return slices.ContainsFunc(n.prefixes, func(prefix string) bool {
		return len(name) >= len(prefix) && string(name[:len(prefix)]) == prefix
	})
}

// drop takes the parameters to drop out of an address in WHATWG spelling, sorts those of the query if the rules say so, in
// place, and returns what is left.
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
		if s.query.has(name) || s.sort && len(param) == 0 {
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
	if s.sort && !isSorted(kept[mark+1:]) {
		sortParams(kept[mark+1:])
	}
	return kept
}

// isSorted reports whether the parameters of a query stand in the order of their names, as most do.
func isSorted(query []byte) bool {
	var last []byte
	for more := true; more; {
		var param []byte
		param, query, more = bytes.Cut(query, []byte("&"))
		name, _, _ := bytes.Cut(param, []byte("="))
		if bytes.Compare(last, name) > 0 {
			return false
		}
		last = name
	}
	return true
}

// sortParams sorts the parameters of a query by name, in place.
func sortParams(query []byte) {
	type param struct{ start, nameEnd, end int }
	var fewParams [32]param
	var shortQuery [1024]byte
	params := fewParams[:0]
	for start := 0; start <= len(query); {
		end := len(query)
		if i := bytes.IndexByte(query[start:], '&'); i >= 0 {
			end = start + i
		}
		nameEnd := end
		if i := bytes.IndexByte(query[start:end], '='); i >= 0 {
			nameEnd = start + i
		}
		params = append(params, param{start, nameEnd, end})
		start = end + 1
	}
	before := append(shortQuery[:0], query...)
	slices.SortStableFunc(params, func(a, b param) int {
		return bytes.Compare(before[a.start:a.nameEnd], before[b.start:b.nameEnd])
	})
	out := query[:0]
	for i, p := range params {
		if i > 0 {
			out = append(out, '&')
		}
		out = append(out, before[p.start:p.end]...)
	}
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
