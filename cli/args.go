package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/xrash/smetrics"
)

// words are the arguments of the program, sorted.
type words struct {
	command string
	flags   []string // each as --name=value
	args    []string
	help    bool
}

// line is the command line with the flags in front of the arguments, which is
// where the library looks for them.
func (w *words) line() []string {
	line := append([]string{"pawl", w.command}, w.flags...)
	return append(append(line, "--"), w.args...)
}

// arrange sorts the arguments. Flags may stand anywhere, also before the
// command; what follows -- is never one. All of them are checked here, so that
// what the library says about flags is never seen.
func arrange(args []string, all []*command) (*words, error) {
	if len(args) > 0 {
		args = args[1:]
	}
	w := new(words)
	name, rest := findCommand(args, all)
	switch name {
	case "":
	case "help":
		w.help = true
		name, rest = findCommand(rest, all)
	}
	cmd := find(all, name)
	if cmd == nil && name != "" {
		return nil, unknownCommand(name, all)
	}
	w.command = name
	for i := 0; i < len(rest); i++ {
		arg := rest[i]
		if arg == "--" {
			w.args = append(w.args, rest[i+1:]...)
			break
		}
		if !isFlag(arg) {
			w.args = append(w.args, arg)
			continue
		}
		word, val, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		switch word {
		case "help", "h":
			w.help = true
			continue
		case "version":
			if cmd == nil {
				w.command = "version"
				return w, nil
			}
		}
		if cmd == nil {
			return nil, unknownFlag(arg, nil)
		}
		o := cmd.option(word)
		switch {
		case o == nil:
			return nil, unknownFlag(arg, cmd)
		case o.arg == "" && !hasValue:
			val = "true"
		case o.arg != "" && !hasValue:
			i++
			if i == len(rest) {
				return nil, usageError{error: errNeedsValue(o), command: cmd.name}
			}
			val = rest[i]
		}
		w.flags = append(w.flags, "--"+o.name+"="+val)
	}
	switch {
	case w.help, w.command != "":
		return w, nil
	case len(w.args) > 0:
		return nil, unknownCommand(w.args[0], all)
	}
	return nil, usagef("name a command: %s", strings.Join(names(all), ", "))
}

func isFlag(arg string) bool { return len(arg) > 1 && arg[0] == '-' }

// findCommand takes the first argument that is no flag, nor the value of one,
// out of the others.
func findCommand(args []string, all []*command) (name string, rest []string) {
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		if !isFlag(args[i]) {
			return args[i], slices.Delete(slices.Clone(args), i, i+1)
		}
		word := strings.TrimLeft(args[i], "-")
		for _, cmd := range all {
			// A flag of the same name takes a value for every command or for
			// none.
			if o := cmd.option(word); o != nil && o.arg != "" {
				i++
				break
			}
		}
	}
	return "", args
}

func find(all []*command, name string) *command {
	for _, cmd := range all {
		if cmd.name == name {
			return cmd
		}
	}
	return nil
}

func (cmd *command) option(word string) *option {
	for i := range cmd.options {
		if o := &cmd.options[i]; o.name == word || o.short != "" && o.short == word {
			return o
		}
	}
	return nil
}

func names(all []*command) []string {
	list := make([]string, len(all))
	for i, cmd := range all {
		list[i] = cmd.name
	}
	return list
}

func unknownCommand(name string, all []*command) error {
	err := usagef("there is no command %q", name)
	if near := nearest(name, append(names(all), "help")); near != "" {
		return didYouMean(err, near)
	} else if strings.Contains(name, ".") {
		return hintedError{err, "to crawl it: pawl crawl " + quoted(name)}
	}
	return err
}

func unknownFlag(arg string, cmd *command) error {
	flag, _, _ := strings.Cut(arg, "=")
	if cmd == nil {
		return usagef("there is no flag %s without a command", flag)
	}
	var known []string
	for i := range cmd.options {
		known = append(known, cmd.options[i].name)
	}
	err := usageError{error: fmt.Errorf("pawl %s has no flag %s", cmd.name, flag), command: cmd.name}
	if near := nearest(strings.TrimLeft(flag, "-"), known); near != "" {
		return didYouMean(err, cmd.option(near).flag())
	}
	return err
}

func didYouMean(err error, word string) error { return hintedError{err, "did you mean " + word + "?"} }

// likeness is how much alike two words must be for one to be suggested for the
// other: max-dept and max-depth, not foo and crawl.
const likeness = 0.75

// nearest gives the word that was probably meant, empty when none is near.
func nearest(word string, known []string) string {
	if word == "" || len(word) > 40 {
		return ""
	}
	best, most := "", likeness
	for _, k := range known {
		if d := smetrics.JaroWinkler(k, strings.ToLower(word), 0.7, 4); d > most {
			best, most = k, d
		}
	}
	return best
}
