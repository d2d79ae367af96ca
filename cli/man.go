package cli

import (
	"context"
	"io"
	"strings"
)

func manCommand() *command {
	return &command{
		name: "man", summary: "write the manual page: pawl man | man -l -",
		run: runMan,
	}
}

func runMan(_ context.Context, c *call) error {
	if err := c.noArgs("man"); err != nil {
		return err
	}
	_, err := io.WriteString(c.Stdout, manPage(commands()))
	return quiet(err)
}

// manPage is the manual page, in the man macros of roff, made from what --help is
// made from.
func manPage(all []*command) string {
	m := new(manual)
	m.macro(".TH PAWL 1", "", "pawl "+ownVersion(), "User Commands")
	m.section("NAME")
	m.text("pawl - crawl websites, and go on after any stop")
	m.section("SYNOPSIS")
	for i, cmd := range all {
		if i > 0 {
			m.raw(".br")
		}
		line := `\fBpawl ` + roff(cmd.name) + `\fR`
		if len(cmd.options) > 0 {
			line += ` [\fIflags\fR]`
		}
		if cmd.args != "" {
			line += ` \fI` + roff(cmd.args) + `\fR`
		}
		m.raw(line)
	}
	m.section("DESCRIPTION")
	m.text("pawl crawls websites. A crawl is one file, which holds all that was found and all that is left to do: " +
		"after any stop, the same command goes on with it. Pages are exported from it as tables.")
	m.paragraph("A crawl that runs can be spoken to: all commands work whether it runs or rests. " +
		"What was asked for is written to stdout, everything else to stderr. Flags work before and after arguments; -- ends them.")
	m.section("COMMANDS")
	for _, cmd := range all {
		m.command(cmd)
	}
	m.section("EXIT STATUS")
	for _, e := range [][2]string{
		{"0", "Finished: nothing is left, or a limit that was set is reached."},
		{"1", "An error."},
		{"2", "Wrong usage."},
		{"3", "Trouble with the crawl file: it is missing, in use, not one of pawl's, damaged or too new."},
		{"4", "Stopped before the end; it can be gone on with."},
		{"5", "Out of disk or memory; it can be gone on with."},
	} {
		m.item(`\fB`+e[0]+`\fR`, e[1])
	}
	m.section("ENVIRONMENT")
	m.item(`\fBPAWL_...\fR`, "Each flag can be set by a variable: --max-depth by PAWL_MAX_DEPTH. A flag that is given wins. "+
		"Repeatable ones take one value a line; empty is as good as not set.")
	m.item(`\fBNO_COLOR\fR`, "If it is not empty, there are no colours.")
	m.item(`\fBTERM\fR, \fBLC_ALL\fR, \fBLC_CTYPE\fR, \fBLANG\fR`, "Tell what the terminal can show.")
	m.section("FILES")
	m.item(`\fIcrawl.pawl\fR`, "The crawl file, if --db names no other.")
	m.item(`\fIcrawl.pawl.sock\fR`, "While the crawl runs: the socket by which other commands speak to it.")
	m.section("EXAMPLES")
	for _, e := range [][2]string{
		{"pawl crawl https://example.com", "Crawl a site. Ctrl-C stops it, and the same command goes on."},
		{"pawl status --watch", "Look on from another terminal."},
		{"pawl export -o pages.csv", "Write the pages into a table, also while the crawl runs."},
		{"pawl queue drop --match '/calendar/'", "Take addresses out of the queue."},
	} {
		m.item(`\fB`+roff(e[0])+`\fR`, e[1])
	}
	return m.b.String()
}

// manual is a page that grows.
type manual struct{ b strings.Builder }

// raw writes a line of roff.
func (m *manual) raw(line string) { m.b.WriteString(line + "\n") }

// macro writes a macro with its arguments.
func (m *manual) macro(name string, args ...string) {
	for _, a := range args {
		name += ` "` + strings.ReplaceAll(roff(a), `"`, `\(dq`) + `"`
	}
	m.raw(name)
}

func (m *manual) section(name string) { m.raw(".SH " + name) }

// text writes lines that are to be filled, except those that are indented, which
// stay as they are.
func (m *manual) text(text string) {
	fixed := false
	for line := range strings.SplitSeq(text, "\n") {
		isFixed := strings.HasPrefix(line, " ")
		switch {
		case isFixed && !fixed:
			m.raw(".nf")
		case fixed && !isFixed:
			m.raw(".fi")
		}
		fixed = isFixed
		if line != "" {
			m.raw(roff(line))
		}
	}
	if fixed {
		m.raw(".fi")
	}
}

func (m *manual) paragraph(text string) {
	m.raw(".PP")
	m.text(text)
}

// item writes a term, which is roff, and what it is.
func (m *manual) item(term, text string) {
	m.raw(".TP")
	m.raw(term)
	m.text(text)
}

func (m *manual) command(cmd *command) {
	m.raw(".SS " + `"pawl ` + roff(cmd.name) + `"`)
	m.text(strings.ToUpper(cmd.summary[:1]) + cmd.summary[1:] + ".")
	if cmd.text != "" {
		m.paragraph(cmd.text)
	}
	group := ""
	for i := range cmd.options {
		o := &cmd.options[i]
		if o.group != group {
			group = o.group
			m.raw(".PP")
			m.raw(`\fI` + roff(group) + `\fR`)
		}
		term := `\fB` + roff("--"+o.name) + `\fR`
		if o.short != "" {
			term = `\fB` + roff("-"+o.short) + `\fR, ` + term
		}
		if o.arg != "" {
			term += ` \fI` + roff(o.arg) + `\fR`
		}
		m.item(term, o.usage)
	}
}

// roff is a text of which roff makes what it says, in one line.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, "…", "...", "\n", " ").Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}
