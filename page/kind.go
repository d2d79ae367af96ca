package page

// Kind says by which element, header or file a link was found.
//
// The numbers are stored in crawl files: they never change, and new kinds go to the end.
type Kind uint8

// The kinds of links. The zero Kind is no kind.
const (
	KindSeed       Kind = 1  // given by the user
	KindRedirect   Kind = 2  // Location of a redirect
	KindSitemap    Kind = 3  // entry of a sitemap
	KindA          Kind = 4  // <a href>
	KindArea       Kind = 5  // <area href>
	KindFrame      Kind = 6  // <frame src>
	KindIframe     Kind = 7  // <iframe src>
	KindRefresh    Kind = 8  // <meta http-equiv=refresh>
	KindCanonical  Kind = 9  // rel=canonical, of <link> or of a Link header, as all that go by rel
	KindNext       Kind = 10 // rel=next
	KindPrev       Kind = 11 // rel=prev or previous
	KindAlternate  Kind = 12 // rel=alternate: languages, feeds, print
	KindLink       Kind = 13 // <link> with any other rel
	KindHeader     Kind = 14 // Link header with any other rel
	KindForm       Kind = 15 // <form method=get action>
	KindImg        Kind = 16 // <img>, srcset, <input type=image>, poster, background, SVG <image>
	KindMedia      Kind = 17 // <video>, <audio>, <source src>, <track>, <embed>, <object>
	KindScript     Kind = 18 // <script src>
	KindStylesheet Kind = 19 // rel=stylesheet
	KindIcon       Kind = 20 // rel=icon and its relatives
	KindPreload    Kind = 21 // rel=preload, modulepreload, prefetch, manifest
	KindAMP        Kind = 22 // rel=amphtml: the same page once more, for phones; not navigation
	// A sitemap, named by robots.txt, the user, or an index. Those that an index names are told apart, so that indexes of
	// indexes come to an end.
	KindSitemapFile  Kind = 23 // named by robots.txt or the user
	KindSitemapFile2 Kind = 24 // named by an index
	KindSitemapFile3 Kind = 25 // named by an index that an index named
)

// String returns the name of k as it stands in exports, or "unknown".
func (k Kind) String() string {
	switch k {
	case KindSeed:
		return "seed"
	case KindRedirect:
		return "redirect"
	case KindSitemap:
		return "sitemap"
	case KindSitemapFile, KindSitemapFile2, KindSitemapFile3:
		return "sitemap_file"
	case KindA:
		return "a"
	case KindArea:
		return "area"
	case KindFrame:
		return "frame"
	case KindIframe:
		return "iframe"
	case KindRefresh:
		return "refresh"
	case KindCanonical:
		return "canonical"
	case KindNext:
		return "next"
	case KindPrev:
		return "prev"
	case KindAlternate:
		return "alternate"
	case KindLink:
		return "link"
	case KindHeader:
		return "header"
	case KindForm:
		return "form"
	case KindImg:
		return "img"
	case KindMedia:
		return "media"
	case KindScript:
		return "script"
	case KindStylesheet:
		return "stylesheet"
	case KindIcon:
		return "icon"
	case KindPreload:
		return "preload"
	case KindAMP:
		return "amphtml"
	}
	return "unknown"
}

// SitemapFile reports whether k leads to a sitemap.
func (k Kind) SitemapFile() bool { return KindSitemapFile <= k && k <= KindSitemapFile3 }

// Navigation reports whether k leads to another page, and so is followed unless the user says otherwise.
func (k Kind) Navigation() bool {
	switch k {
	case KindSeed, KindRedirect, KindSitemap, KindSitemapFile, KindSitemapFile2, KindSitemapFile3, KindA, KindArea, KindFrame, KindIframe, KindRefresh,
		KindCanonical, KindNext, KindPrev:
		return true
	}
	return false
}

// Asset reports whether k names a part of the page itself, such as an image or a script, which is followed on request.
func (k Kind) Asset() bool {
	switch k {
	case KindImg, KindMedia, KindScript, KindStylesheet, KindIcon, KindPreload:
		return true
	}
	return false
}

// hyperlink reports whether k is a link that a reader of the page takes, which is what Page.Outlinks counts.
func (k Kind) hyperlink() bool {
	switch k {
	case KindA, KindArea, KindFrame, KindIframe, KindRefresh:
		return true
	}
	return false
}

// weight orders the kinds by what following them is worth: of several links to one target the heaviest is kept.
func (k Kind) weight() int {
	switch {
	case k.hyperlink():
		return 3
	case k.Navigation():
		return 2
	case k.Asset():
		return 1
	}
	return 0
}
