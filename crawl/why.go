package crawl

// Story is all that a crawl knows of an address.
type Story struct {
	URL       string    `json:"url"`       // as it was asked for
	Canonical string    `json:"canonical"` // as the crawl spells it
	Standing  string    `json:"standing"`  // unknown, queued, retrying, out, done, parked or skipped
	Because   string    `json:"because"`   // the rule that decided, in a sentence
	Chapters  []Chapter `json:"chapters"`  // in the order of the log
}

// Chapter is something that happened to an address.
type Chapter struct {
	Seq  uint64 `json:"seq,omitempty"` // of the event, 0: of none
	At   string `json:"at,omitempty"`
	What string `json:"what"` // found, attempt, outcome, skipped, parked, dropped, restored or reopened
	Text string `json:"text"` // a sentence
}
