package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// option is a flag of a command: how it is written, and what help says of it.
type option struct {
	name   string
	short  string // one letter, empty: none
	arg    string // what stands for its value in help; empty: it takes none
	usage  string
	group  string
	repeat bool // may be given several times; otherwise the last one wins
	inFile bool // only a file of settings can say it
}

// flag is the option as it is best written.
func (o *option) flag() string {
	if o.short != "" {
		return "-" + o.short
	}
	return "--" + o.name
}

// env is the name of the environment variable that stands for the option.
func (o *option) env() string {
	return "PAWL_" + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
}

// value collects the values of an option while the library parses.
type value struct {
	option *option
	texts  []string
}

func (v *value) String() string { return "" }

// IsBoolFlag tells the library whether the flag may stand alone.
func (v *value) IsBoolFlag() bool { return v.option.arg == "" }

// Set takes a value as it was given. What it means is found out when it is
// used, where the error can name the flag or the variable that it came from.
func (v *value) Set(text string) error {
	if v.option.repeat {
		v.texts = append(v.texts, text)
	} else {
		v.texts = []string{text}
	}
	return nil
}

func errNeedsValue(o *option) error {
	return fmt.Errorf("%s needs a value: %s %s", o.flag(), o.flag(), o.arg)
}

// given is what the user said, by the names of options.
type given map[string]said

// said is the values of an option and where they come from: a flag, a variable
// of the environment, or a line of a file of settings.
type said struct {
	texts []string
	where string
	line  fileLine
}

func (s said) last() string { return s.texts[len(s.texts)-1] }

// gather adds what the environment says where no flag does. An empty variable
// says nothing; in that of a repeatable option each line is a value.
func gather(values []*value, env func(string) string) given {
	all := given{}
	for _, v := range values {
		o := v.option
		switch {
		case len(v.texts) > 0:
			all[o.name] = said{texts: v.texts, where: o.flag()}
		case o.group == groupQueue: // what edits the queue is said on purpose
		case env(o.env()) == "":
		case o.repeat:
			all[o.name] = said{texts: strings.Split(strings.TrimSpace(env(o.env())), "\n"), where: o.env()}
		default:
			all[o.name] = said{texts: []string{env(o.env())}, where: o.env()}
		}
	}
	return all
}

// text is the value of an option, otherwise if it was not given.
func (g given) text(name, otherwise string) string {
	if s, ok := g[name]; ok {
		return s.last()
	}
	return otherwise
}

// isOn tells whether a switch was turned on.
func (g given) isOn(name string) (bool, error) {
	s, ok := g[name]
	if !ok {
		return false, nil
	}
	on, err := parseSwitch(s.last())
	if err != nil {
		return false, s.wrong(err)
	}
	return on, nil
}

// wrong is the error of a value that cannot be used.
func (s said) wrong(err error) error {
	err = usagef("%s: %w", s.where, err)
	if s.line.number > 0 {
		err = lineError{err, s.line}
	}
	return err
}

// oneOf checks that a text is among the words.
func (g given) oneOf(name, otherwise string, words ...string) (string, error) {
	text := g.text(name, otherwise)
	for _, w := range words {
		if w == text {
			return text, nil
		}
	}
	return "", g[name].wrong(fmt.Errorf("%q is none of %s", text, strings.Join(words, ", ")))
}

func parseSwitch(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "yes", "on":
		return true, nil
	case "no", "off":
		return false, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", text)
	}
	return on, nil
}

func parseCount(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%s is too large", text)
	case err != nil:
		return 0, fmt.Errorf("%q is not a whole number from 0 on", text)
	}
	return int(n), nil
}
