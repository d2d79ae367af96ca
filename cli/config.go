package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	yaml "github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"pawl/crawl"
	"pawl/weburl"
)

// A recipe is a file of settings in YAML: the flags of pawl crawl by their names,
// and what no flag can say, rules for addresses that match a pattern. It is read
// strictly: what is not understood is an error that names its line.
//
// What it says stands among what the user said (given), under what flags and the
// environment say, so that it is remembered as flags are.

// Bounds of a recipe.
const (
	maxRecipe = 1 << 20 // bytes
	// maxNesting is more than four times as deep as any recipe is.
	maxNesting = 32
	// maxKeys is how many keys a map may have; the parser takes a time that grows
	// with their square.
	maxKeys = 1200
	// maxScalars is how many values there may be when aliases are replaced by
	// what they stand for.
	maxScalars = 200_000
)

func configOption() option {
	return option{name: "config", arg: "FILE", group: groupFile, usage: "take settings from a YAML file: flags by their names, and rules; flags and the environment win (none)"}
}

// Keys of a recipe that are no flags, or others than flags of that name.
const (
	keySeeds     = "seeds"      // a list of addresses
	keySeedsFile = "seeds-file" // the flag --seeds
	keyFields    = "fields"     // a map of names to selectors, in place of field
	keyRules     = "rules"
)

// recipe is what a file of settings says.
type recipe struct {
	path    string
	lines   []string
	options []option // that it may set, by their names
	given   given
	seeds   []string
	rules   []crawl.PageRule

	anchors map[string]ast.Node
	scalars int
	// steps set one value each, in the order of the file.
	steps []recipeStep
}

// recipeStep is something that a line says of the settings.
type recipeStep struct {
	at    *token.Position
	key   string // of the top level
	apply func(*crawl.Settings) error
	// again: it sets anew what the step before it has set.
	again bool
}

// readRecipe adds what the file of --config says to what the user said.
func (c *call) readRecipe() error {
	file, ok := c.given["config"]
	if !ok || isNothing(file.texts) {
		return nil
	}
	r, err := openRecipe(file.last())
	if err != nil {
		var wrong lineError
		if errors.As(err, &wrong) {
			return err
		}
		return file.wrong(err)
	}
	c.follow(r)
	return nil
}

// follow takes what the recipe says where nothing else says it. Addresses of the
// command line stand in place of its seeds.
func (c *call) follow(r *recipe) {
	for name, said := range r.given {
		if _, ok := c.given[name]; !ok {
			c.given[name] = said
		}
	}
	if len(c.args) == 0 {
		c.args = r.seeds
	}
}

// openRecipe reads a recipe. What is wrong in a line of it is a lineError.
func openRecipe(path string) (*recipe, error) {
	h, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	data, err := io.ReadAll(io.LimitReader(h, maxRecipe+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxRecipe {
		return nil, fmt.Errorf("%s is larger than 1 MiB", path)
	}
	return parseRecipe(path, data)
}

func parseRecipe(path string, data []byte) (*recipe, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	// A carriage return alone ends a line in YAML, too; so lines are counted alike.
	data = bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	r := &recipe{path: path, lines: strings.Split(string(data), "\n"), given: given{}, anchors: map[string]ast.Node{}}
	r.options = append(crawlCommand().options, option{name: keyRules, inFile: true})
	for i, line := range r.lines {
		if !utf8.ValidString(line) {
			return nil, r.wrong(&token.Position{Line: i + 1, Column: 1}, errors.New("this is not UTF-8"))
		}
	}
	root, err := r.parse(data)
	if err != nil {
		return nil, err
	}
	if root != nil {
		if err := r.read(root); err != nil {
			return nil, err
		}
	}
	return r, r.check()
}

// wrong is the error of a place in the file.
func (r *recipe) wrong(at *token.Position, err error) error {
	return lineError{usagef("%s:%d:%d: %w", r.path, at.Line, at.Column, err), r.line(at)}
}

func (r *recipe) wrongf(at *token.Position, format string, args ...any) error {
	return r.wrong(at, fmt.Errorf(format, args...))
}

func (r *recipe) line(at *token.Position) fileLine {
	l := fileLine{number: at.Line}
	if i := at.Line - 1; i >= 0 && i < len(r.lines) && !r.isSecret(i) {
		l.text = r.lines[i]
	}
	return l
}

// isSecret tells whether a line may hold what must not be shown: it belongs to a
// key of secrets, looks like one, or holds an address with a password.
func (r *recipe) isSecret(i int) bool {
	if secretLike.MatchString(r.lines[i]) {
		return true
	}
	for ; i >= 0; i-- {
		if key := topKey.FindString(r.lines[i]); key != "" {
			return secretLike.MatchString(key)
		}
	}
	return false
}

var (
	secretLike = regexp.MustCompile(`(?i)^\W*(user|proxy|headers?|authorization|cookies?)($|[^-\w])|\W(user|proxy|headers?|authorization|cookies?)["']?\s*:|://[^/\s]*@`)
	topKey     = regexp.MustCompile(`^["']?\w[^:]*:`)
)

// fileLine is a line of a recipe as it is shown below an error. A line that may
// hold a secret has no text.
type fileLine struct {
	number int // from 1; 0: of no file
	text   string
}

// show is the line with its number; nothing if it is not to be shown.
func (l fileLine) show() string {
	const most = 200 // runes
	text := []rune(l.text)
	switch {
	case strings.TrimSpace(l.text) == "":
		return ""
	case len(text) > most:
		text = append(text[:most], '…')
	}
	return fmt.Sprintf("%5d | %s\n", l.number, clean(string(text)))
}

// lineError is an error in a line of a recipe, which is shown below it.
type lineError struct {
	error
	line fileLine
}

func (e lineError) Unwrap() error { return e.error }

// parse gives the map that the file is; nil when it says nothing.
func (r *recipe) parse(data []byte) (root ast.Node, err error) {
	at := &token.Position{Line: 1, Column: 1}
	defer func() {
		if p := recover(); p != nil { // the library is not ours
			root, err = nil, r.wrongf(at, "this cannot be read as YAML")
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if err := r.checkShape(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	var syntax yaml.Error
	switch {
	case errors.As(err, &syntax) && syntax.GetToken() != nil:
		return nil, hintedError{
			r.wrongf(syntax.GetToken().Position, "this is not YAML: %s", syntax.GetMessage()),
			"quote values that begin with one of @`#[{&*!|>% or hold ': ' or ' #', and indent by blanks",
		}
	case err != nil:
		return nil, r.wrongf(at, "this is not YAML: %v", err)
	}
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case doc.Body.Type() == ast.DirectiveType:
			return nil, r.wrongf(doc.Body.GetToken().Position, "directives of YAML are not read")
		case root != nil:
			return nil, r.wrongf(doc.Body.GetToken().Position, "there is a second document in the file; one is read")
		default:
			root = doc.Body
		}
	}
	return root, nil
}

// checkShape refuses what would make the parser call itself too deep, or take too
// long. What nests by its indentation alone cannot nest deep in so small a file.
func (r *recipe) checkShape(tokens token.Tokens) error {
	flow, run := 0, 0 // open brackets; tokens in a row that each open a level
	keys := map[int]int{}
	line := 0
	for _, tk := range tokens {
		if tk.Position.Line != line { // what is indented more has ended
			line = tk.Position.Line
			maps.DeleteFunc(keys, func(column, _ int) bool { return column > tk.Position.Column })
		}
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow = max(0, flow-1)
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			run++
		case token.CommentType:
		case token.MappingValueType:
			if run = 0; flow == 0 && tk.Prev != nil {
				keys[tk.Prev.Position.Column]++
			}
			if len(keys) > maxNesting || tk.Prev != nil && keys[tk.Prev.Position.Column] > maxKeys {
				return r.wrongf(tk.Position, "this is nested too deep, or has more than %d keys", maxKeys)
			}
		default:
			run = 0
		}
		if flow > maxNesting || run > maxNesting {
			return r.wrongf(tk.Position, "this is nested too deep")
		}
	}
	return nil
}

// resolve gives the node that an alias or anchor stands for, and remembers
// anchors.
func (r *recipe) resolve(n ast.Node) (ast.Node, error) {
	for {
		if r.scalars++; r.scalars > maxScalars {
			return nil, r.wrongf(place(n), "this makes more than %d values", maxScalars)
		}
		switch v := n.(type) {
		case *ast.AnchorNode:
			r.anchors[v.Name.GetToken().Value] = v.Value
			n = v.Value
		case *ast.AliasNode:
			name := v.Value.GetToken().Value
			stands, ok := r.anchors[name]
			if !ok {
				return nil, r.wrongf(place(n), "there is no anchor &%s above; a value that begins with * must be quoted", name)
			}
			n = stands
		case *ast.TagNode:
			return nil, r.wrongf(place(n), "tags of YAML are not read; a value that begins with ! must be quoted")
		case *ast.MappingValueNode: // a map of one
			return &ast.MappingNode{BaseNode: v.BaseNode, Start: v.Start, Values: []*ast.MappingValueNode{v}}, nil
		case nil:
			return nil, r.wrongf(&token.Position{Line: 1, Column: 1}, "something has no value")
		default:
			return n, nil
		}
	}
}

// place is where a node begins.
func place(n ast.Node) *token.Position {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return m.Values[0].Key.GetToken().Position
	}
	return n.GetToken().Position
}

// pairs calls f for each key of a map, of which no two may be the same.
func (r *recipe) pairs(n ast.Node, what string, f func(key string, at *token.Position, value ast.Node) error) error {
	n, err := r.resolve(n)
	if err != nil {
		return err
	}
	m, ok := n.(*ast.MappingNode)
	if !ok {
		return r.wrongf(place(n), "%s, not %s", what, kindOf(n))
	}
	lines := map[string]int{}
	for _, pair := range m.Values {
		at := pair.Key.GetToken().Position
		switch pair.Key.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode, *ast.NullNode:
		case *ast.MergeKeyNode:
			return r.wrongf(at, "maps cannot be merged by <<")
		default:
			return r.wrongf(at, "a key must be a word")
		}
		key := pair.Key.GetToken().Value
		// Between braces the parser ends a key at any colon: {price:int: h1}.
		if m.IsFlowStyle && isPlain(pair.Key) && pair.Start != nil && isRightBehind(pair.Start.Position, pair.Value) {
			return r.wrongf(at, "write a blank behind the colon of %s, or quote a key that holds one", shortened(key))
		}
		if line, twice := lines[key]; twice {
			return r.wrongf(at, "%s stands in line %d already", shortened(key), line)
		}
		lines[key] = at.Line
		if err := f(key, at, pair.Value); err != nil {
			return err
		}
	}
	return nil
}

// isPlain tells whether a key stands without quotes.
func isPlain(key ast.Node) bool {
	t := key.GetToken().Type
	return t != token.SingleQuoteType && t != token.DoubleQuoteType
}

// isRightBehind tells whether a value follows a colon without a blank.
func isRightBehind(colon *token.Position, value ast.Node) bool {
	at := value.GetToken().Position
	return value.Type() == ast.StringType && at.Line == colon.Line && at.Column == colon.Column+1
}

// kindOf says what a node is, for people.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode:
		return "a map"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	}
	return "a single value"
}

// shortened is a word of the file for a message.
func shortened(word string) string {
	if r := []rune(word); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return word
}

// scalar is a single value with its place.
type scalar struct {
	text string
	at   *token.Position
}

// scalar reads a single value. isSwitch: it may be true or false.
func (r *recipe) scalar(key string, n ast.Node, isSwitch bool) (scalar, error) {
	n, err := r.resolve(n)
	if err != nil {
		return scalar{}, err
	}
	s := scalar{at: place(n)}
	switch v := n.(type) {
	case *ast.StringNode:
		s.text = v.Value
	case *ast.LiteralNode:
		s.text = strings.TrimSuffix(v.Value.Value, "\n")
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		s.text = n.GetToken().Value
	case *ast.BoolNode:
		if s.text = v.GetToken().Value; !isSwitch {
			return s, r.wrongf(s.at, "%s is not a switch; if the word %s is meant, quote it", key, s.text)
		}
	case *ast.NullNode:
		return s, r.wrongf(s.at, "%s has no value: to take it back write none; a value that begins with # must be quoted", key)
	case *ast.MappingNode:
		return s, r.wrongf(s.at, "%s takes a single value, not a map; one that holds ': ' or begins with { must be quoted", key)
	case *ast.SequenceNode:
		return s, r.wrongf(s.at, "%s takes a single value, not a list; one that begins with [ must be quoted", key)
	default:
		return s, r.wrongf(s.at, "%s has a value of a kind that is not read here", key)
	}
	return s, nil
}

// list reads a list of values, or a single one.
func (r *recipe) list(key string, n ast.Node) ([]scalar, error) {
	n, err := r.resolve(n)
	if err != nil {
		return nil, err
	}
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		one, err := r.scalar(key, n, false)
		return []scalar{one}, err
	}
	list := make([]scalar, 0, len(seq.Values))
	for _, v := range seq.Values {
		one, err := r.scalar(key, v, false)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

// read reads the whole file.
func (r *recipe) read(root ast.Node) error {
	fields := 0 // the line of the key
	return r.pairs(root, "a recipe is a map of settings", func(key string, at *token.Position, value ast.Node) error {
		switch key {
		case keySeeds:
			return r.readSeeds(value)
		case keySeedsFile:
			return r.readOption(key, r.option("seeds"), at, value)
		case keyRules:
			return r.readRules(at, value)
		case keyFields, "field":
			if fields > 0 {
				return r.wrongf(at, "fields stand in line %d already; write all of them there", fields)
			}
			fields = at.Line
			if key == keyFields {
				return r.readFieldMap(at, value)
			}
		case "config":
			return r.wrongf(at, "a recipe cannot name another one")
		}
		o := r.option(key)
		if o == nil {
			return r.unknownKey(key, at)
		}
		return r.readOption(key, o, at, value)
	})
}

func (r *recipe) option(name string) *option {
	for i := range r.options {
		if o := &r.options[i]; o.name == name && !o.inFile {
			return o
		}
	}
	return nil
}

func (r *recipe) unknownKey(key string, at *token.Position) error {
	if len(key) > 1 && slices.Contains(ruleKeys(), key) {
		return r.wrongf(at, "%s is said of the addresses of a rule, and belongs below rules:", key)
	}
	known := []string{keySeedsFile, keyFields}
	for i := range r.options {
		if o := &r.options[i]; o.short != "" && o.short == strings.TrimLeft(key, "-") {
			return didYouMean(r.wrongf(at, "there is no setting %s", shortened(key)), o.name)
		}
		known = append(known, r.options[i].name)
	}
	err := r.wrongf(at, "there is no setting %s", shortened(key))
	if near := nearest(strings.ReplaceAll(strings.TrimLeft(key, "-"), "_", "-"), known); near != "" {
		return didYouMean(err, near)
	}
	return err
}

// say puts the values of an option among what the user said.
func (r *recipe) say(name string, at *token.Position, texts []string) {
	if len(texts) == 0 {
		texts = []string{""} // an empty list empties the list
	}
	r.given[name] = said{texts: texts, where: fmt.Sprintf("%s:%d", r.path, at.Line), line: r.line(at)}
}

func (r *recipe) readOption(key string, o *option, at *token.Position, value ast.Node) error {
	if o.repeat {
		list, err := r.list(key, value)
		if err != nil {
			return err
		}
		r.sayList(o.name, at, list)
		return nil
	}
	one, err := r.scalar(key, value, o.arg == "")
	if err != nil {
		return err
	}
	text := one.text
	if takesPath(o.name) && text != "" && text != "-" && text != "none" && !filepath.IsAbs(text) {
		text = filepath.Join(filepath.Dir(r.path), text)
	}
	r.say(o.name, one.at, []string{text})
	r.steps = append(r.steps, recipeStep{at: one.at, key: key, apply: settingStep(o.name, []string{text})})
	return nil
}

// takesPath tells whether an option names a file. Those in a recipe are looked for
// beside it.
func takesPath(option string) bool {
	switch option {
	case "seeds", "cookies", "output", "warc", "db", "log-file":
		return true
	}
	return false
}

// sayList says the values of a repeatable option, with a step for each.
func (r *recipe) sayList(name string, at *token.Position, list []scalar) {
	texts := make([]string, len(list))
	for i, one := range list {
		texts[i] = one.text
		r.steps = append(r.steps, recipeStep{at: one.at, key: name, apply: settingStep(name, texts[:i+1]), again: i > 0})
	}
	r.say(name, at, texts)
}

// settingStep gives a setting a value; it does nothing when the option is none
// that is remembered.
func settingStep(name string, texts []string) func(*crawl.Settings) error {
	return func(s *crawl.Settings) error {
		for _, st := range crawlSettings() {
			if st.name != name || isNothing(texts) {
				continue
			}
			return st.read(s, texts)
		}
		return nil
	}
}

func (r *recipe) readSeeds(value ast.Node) error {
	list, err := r.list(keySeeds, value)
	if err != nil {
		return err
	}
	// Any rules serve to tell what is an address.
	speller, err := weburl.New(weburl.DefaultRules())
	if err != nil {
		return err
	}
	for _, one := range list {
		text := strings.TrimSpace(one.text)
		if _, err := crawl.ParseSeed(speller, text); err != nil {
			return r.wrongf(one.at, "%q cannot be crawled: %w", crawl.WithoutUserinfo(text), err)
		}
		r.seeds = append(r.seeds, text)
	}
	return nil
}

// fieldSpecs reads a map of NAME[[]][:TYPE] to selectors, as --field takes them,
// or a list of what --field takes.
func (r *recipe) fieldSpecs(value ast.Node) ([]scalar, error) {
	value, err := r.resolve(value)
	if err != nil {
		return nil, err
	}
	if _, ok := value.(*ast.MappingNode); !ok {
		return r.list(keyFields, value)
	}
	var specs []scalar
	err = r.pairs(value, "", func(name string, at *token.Position, value ast.Node) error {
		if strings.Contains(name, "=") {
			return r.wrongf(at, "%s is no name of a field", shortened(name))
		}
		one, err := r.scalar(name, value, false)
		if err != nil {
			return err
		}
		specs = append(specs, scalar{name + "=" + one.text, at})
		return nil
	})
	return specs, err
}

func (r *recipe) readFieldMap(at *token.Position, value ast.Node) error {
	specs, err := r.fieldSpecs(value)
	if err != nil {
		return err
	}
	r.sayList("field", at, specs)
	return nil
}

func ruleKeys() []string {
	return []string{"match", "fields", "links-from", "delay", "priority", "store", "ignore"}
}

func (r *recipe) readRules(at *token.Position, value ast.Node) error {
	value, err := r.resolve(value)
	if err != nil {
		return err
	}
	seq, ok := value.(*ast.SequenceNode)
	if !ok {
		if one, err := r.scalar(keyRules, value, false); err == nil && isNothing([]string{one.text}) {
			r.say(keyRules, at, nil)
			return nil
		}
		return r.wrongf(place(value), "rules is a list, in which each rule begins with - match:")
	}
	for _, n := range seq.Values {
		if err := r.readRule(n); err != nil {
			return err
		}
	}
	r.say(keyRules, at, spellRules(r.rules))
	return nil
}

func (r *recipe) readRule(n ast.Node) error {
	n, err := r.resolve(n)
	if err != nil {
		return err
	}
	begin := place(n)
	rule := crawl.PageRule{}
	// The step of match comes first: what is wrong is wrong with this rule.
	first := len(r.steps)
	r.steps = append(r.steps, recipeStep{})
	set := func(at *token.Position, apply func(p *crawl.PageRule)) {
		apply(&rule)
		r.steps = append(r.steps, recipeStep{at: at, key: keyRules, apply: func(s *crawl.Settings) error {
			apply(&s.PageRules[len(s.PageRules)-1])
			return nil
		}})
	}
	err = r.pairs(n, "a rule is a map: match: RE and what holds for it", func(key string, at *token.Position, value ast.Node) error {
		switch key {
		case "fields", "field":
			specs, err := r.fieldSpecs(value)
			for _, one := range specs {
				set(one.at, func(p *crawl.PageRule) { p.Fields = append(p.Fields, one.text) })
			}
			return err
		case "links-from":
			list, err := r.list(key, value)
			for _, one := range list {
				set(one.at, func(p *crawl.PageRule) { p.LinksFrom = append(p.LinksFrom, one.text) })
			}
			return err
		}
		if !slices.Contains(ruleKeys(), key) {
			return r.unknownInRule(key, at)
		}
		one, err := r.scalar(key, value, key == "store" || key == "ignore")
		if err != nil {
			return err
		}
		switch key {
		case "match":
			begin, rule.Match = one.at, one.text
		case "delay":
			d, err := parseDuration(one.text)
			if err != nil {
				return r.wrongf(one.at, "delay: %w", err)
			}
			set(one.at, func(p *crawl.PageRule) { p.Delay = d })
		case "priority":
			set(one.at, func(p *crawl.PageRule) { p.Priority = one.text })
		case "store":
			store, err := parseStore(one.text)
			if err != nil {
				return r.wrongf(one.at, "store: %w", err)
			}
			set(one.at, func(p *crawl.PageRule) { p.Store = store })
		case "ignore":
			ignore, err := parseSwitch(one.text)
			if err != nil {
				return r.wrongf(one.at, "ignore: %w", err)
			}
			set(one.at, func(p *crawl.PageRule) { p.Ignore = ignore })
		}
		return nil
	})
	r.steps[first] = recipeStep{at: begin, key: keyRules, apply: func(s *crawl.Settings) error {
		s.PageRules = append(s.PageRules, crawl.PageRule{Match: rule.Match})
		return nil
	}}
	r.rules = append(r.rules, rule)
	return err
}

func (r *recipe) unknownInRule(key string, at *token.Position) error {
	name := strings.ReplaceAll(strings.TrimLeft(key, "-"), "_", "-")
	if r.option(name) != nil {
		return r.wrongf(at, "%s holds for the whole crawl, and cannot stand in a rule", name)
	}
	err := r.wrongf(at, "a rule says nothing of %s, but %s", shortened(key), strings.Join(ruleKeys(), ", "))
	if near := nearest(name, ruleKeys()); near != "" {
		return didYouMean(err, near)
	}
	return err
}

func parseStore(text string) (crawl.Store, error) {
	if text == "row" {
		return crawl.StoreRow, nil
	}
	on, err := parseSwitch(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("%q is neither true, row nor false", text)
	case on:
		return crawl.StoreAll, nil
	}
	return crawl.StoreNothing, nil
}

// check tells what is wrong with the values, and in which line.
func (r *recipe) check() error {
	upTo := func(n int) (failed int, err error) {
		s := crawl.Defaults(ownAgent())
		for i := range r.steps[:n] {
			if i+1 < n && r.steps[i+1].again {
				continue
			}
			if err := r.steps[i].apply(&s); err != nil {
				return i, fmt.Errorf("%s: %w", r.steps[i].key, err)
			}
		}
		return n - 1, validate(&s)
	}
	failed, err := upTo(len(r.steps))
	if err == nil || len(r.steps) == 0 {
		return err
	}
	// With the first step that fails everything behind it does: which one is it?
	low, high := 0, failed // low steps are good, high+1 are not
	for low < high {
		middle := (low + high) / 2
		if at, err2 := upTo(middle + 1); err2 != nil {
			high, err = min(middle, at), err2
		} else {
			low = middle + 1
		}
	}
	return r.wrong(r.steps[low].at, withoutDashes{err})
}

// withoutDashes spells the flag that an error begins with as a recipe does.
type withoutDashes struct{ error }

func (e withoutDashes) Error() string { return strings.TrimPrefix(e.error.Error(), "--") }
func (e withoutDashes) Unwrap() error { return e.error }
