package cli

import (
	"fmt"
	"io"
	"strings"
)

// showHelp writes the help of a command, or of pawl, to stdout: it is what was
// asked for.
func (w *words) showHelp(sys *System, all []*command) error {
	var text string
	if cmd := find(all, w.command); cmd != nil {
		text = cmd.help()
	} else {
		text = overview(all)
	}
	_, err := io.WriteString(sys.Stdout, text)
	return quiet(err)
}

func overview(all []*command) string {
	var b strings.Builder
	b.WriteString("pawl crawls websites. A crawl is one file, from which it goes on after any stop.\n\n")
	b.WriteString("Usage: pawl COMMAND [flags] [arguments]\n\nCommands:\n")
	for _, cmd := range all {
		left := strings.TrimSpace(cmd.name + " " + cmd.args)
		if len(left) > overviewColumn {
			fmt.Fprintf(&b, "  %s\n", left)
			left = ""
		}
		fmt.Fprintf(&b, "  %-*s %s\n", overviewColumn, left, cmd.summary)
	}
	b.WriteString("\nExit codes:\n" +
		"  0 finished: nothing left, or a limit was reached    3 trouble with the crawl file\n" +
		"  1 an error                                          4 stopped before the end, resumable\n" +
		"  2 wrong usage                                       5 out of disk or memory, resumable\n")
	b.WriteString("\npawl COMMAND --help tells more.\n")
	return b.String()
}

const (
	helpWidth = 80
	// overviewColumn is how wide a command and its arguments may be beside what it
	// does.
	overviewColumn = 22
)

func (cmd *command) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pawl %s: %s\n\nUsage: pawl %s [flags]", cmd.name, cmd.summary, cmd.name)
	if cmd.args != "" {
		b.WriteString(" " + cmd.args)
	}
	b.WriteString("\n")
	if cmd.text != "" {
		b.WriteString("\n" + cmd.text + "\n")
	}
	group := ""
	for i := range cmd.options {
		o := &cmd.options[i]
		if o.group != group {
			group = o.group
			fmt.Fprintf(&b, "\n%s:\n", group)
		}
		left := "      --" + o.name
		if o.short != "" {
			left = "  -" + o.short + ", --" + o.name
		}
		if o.arg != "" {
			left += " " + o.arg
		}
		writeColumns(&b, left, o.usage)
	}
	if len(cmd.options) > 0 {
		except := ""
		if cmd.name == "queue" {
			except = ",\nbut not those of the group Queue" // see gather
		}
		b.WriteString("\nEach flag can also be set by the environment, --max-depth by PAWL_MAX_DEPTH" + except + ".\n")
	}
	return b.String()
}

// writeColumns writes a flag and what it does beside it, in lines that a
// terminal has room for.
func writeColumns(b *strings.Builder, left, right string) {
	const indent = 30
	line := fmt.Sprintf("%-*s", indent, left)
	if len(left) >= indent {
		b.WriteString(left + "\n")
		line = strings.Repeat(" ", indent)
	}
	for word := range strings.FieldsSeq(right) {
		if len(line)+1+len(word) > helpWidth && len(strings.TrimSpace(line)) > 0 {
			b.WriteString(line + "\n")
			line = strings.Repeat(" ", indent)
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}
