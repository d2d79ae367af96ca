package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"pawl/crawl"
	"pawl/export"
)

// What a completion script offers is written into it when it is made, from the
// tables that the program itself is run by: neither does it call pawl, nor does
// anything that was typed get evaluated.

func completionCommand() *command {
	return &command{
		name: "completion", args: "bash|zsh|fish|powershell", summary: "write a script that completes commands and flags in a shell",
		text: "  bash:        source <(pawl completion bash)\n" +
			"  zsh:         pawl completion zsh > a file _pawl in a folder of $fpath\n" +
			"  fish:        pawl completion fish > ~/.config/fish/completions/pawl.fish\n" +
			"  powershell:  pawl completion powershell | Out-String | Invoke-Expression",
		run: runCompletion,
	}
}

func runCompletion(_ context.Context, c *call) error {
	shells := map[string]func([]*command) string{
		"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion, "powershell": powershellCompletion,
	}
	names := []string{"bash", "zsh", "fish", "powershell"}
	if len(c.args) != 1 {
		return usageError{error: fmt.Errorf("name one shell: %s", strings.Join(names, ", ")), command: "completion"}
	}
	write, ok := shells[c.args[0]]
	if !ok {
		err := usageError{error: fmt.Errorf("there is no completion for %q, but %s", c.args[0], strings.Join(names, ", ")), command: "completion"}
		if near := nearest(c.args[0], names); near != "" {
			return didYouMean(err, near)
		}
		return err
	}
	_, err := io.WriteString(c.Stdout, write(commands()))
	return quiet(err)
}

// offer is what may stand at a place of the command line. The zero value is
// something that nobody can guess.
type offer struct {
	words   []string
	files   bool
	folders bool
	list    bool             // the words may follow each other, with commas between them
	values  map[string]offer // the words are keys, each with = behind it, and then comes this
}

// pairs are keys with their values.
func (o offer) pairs() (words []string) {
	for _, key := range slices.Sorted(maps.Keys(o.values)) {
		for _, value := range o.values[key].words {
			words = append(words, key+"="+value)
		}
	}
	return words
}

func (o offer) isNothing() bool { return len(o.words) == 0 && !o.files && !o.folders }

// firsts are first arguments that decide which flags there are, or what these may
// be.
func (cmd *command) firsts() (words []string) {
	switch cmd.name {
	case "export", "queue":
		return cmd.offerFirst().words
	}
	return nil
}

// takes tells whether a command takes an option when its first argument is this;
// empty: it is not known yet.
func (cmd *command) takes(o *option, first string) bool {
	return cmd.name != "queue" || first == "" || o.group != groupQueue || slices.Contains(queueFlags[first], o.name)
}

// offerOf is what the value of an option may be.
func (cmd *command) offerOf(o *option, first string) offer {
	switch {
	case o.arg == "":
		return offer{}
	case cmd.name == "export" && o.name == "columns":
		return offer{words: columnsOf(first), list: true}
	case o.arg == "FILE":
		return offer{files: true}
	case o.arg == "DIR":
		return offer{folders: true}
	case strings.Contains(o.arg, "|"):
		return offer{words: strings.Split(o.arg, "|")}
	case o.name == "log-level":
		return offer{words: logLevels}
	case cmd.name == "export" && o.name == "format":
		var words []string
		for _, f := range []export.Format{export.CSV, export.TSV, export.JSONL, export.Parquet, export.SQLite} {
			words = append(words, f.String())
		}
		return offer{words: words}
	case cmd.name == "export" && o.name == "profile":
		return offer{words: []string{export.ScreamingFrog.String(), export.Advertools.String()}}
	}
	return offer{}
}

// offerFirst is what the first argument of a command may be.
func (cmd *command) offerFirst() offer {
	switch {
	case cmd.name == "export":
		var words []string
		for _, t := range tables() {
			words = append(words, t.name)
		}
		return offer{words: words}
	case cmd.name == "check":
		return offer{files: true}
	case cmd.name == "set":
		keys := offer{words: []string{logLevel + "="}, values: map[string]offer{logLevel: {words: logLevels}}}
		for _, s := range crawlSettings() {
			if s.inFile || slices.Contains(fixed, s.name) {
				continue
			}
			keys.words = append(keys.words, s.name+"=")
			value := cmd.offerOf(&s.option, "")
			if s.arg == "" {
				value.words = []string{"on", "off"}
			}
			if !value.isNothing() {
				keys.values[s.name] = value
			}
		}
		return keys
	case strings.Contains(cmd.args, "|"):
		list, _, _ := strings.Cut(cmd.args, " ")
		return offer{words: strings.Split(strings.Trim(list, "[]"), "|")}
	}
	return offer{}
}

// offerRest is what further arguments may be, if a flag was given.
func (cmd *command) offerRest(first string) (o offer, flag string) {
	if cmd.name == "queue" && first == string(crawl.Retry) {
		return offer{words: errorClasses(), list: true}, "--errors"
	}
	return offer{}, ""
}

// columnsOf are the columns of a table that every crawl has.
func columnsOf(table string) []string {
	switch table {
	case "", "pages", "errors":
		return export.PageColumns()
	case "redirects":
		return export.RedirectColumns()
	case "duplicates":
		return export.DuplicateColumns()
	case "fields":
		return export.FieldColumns(nil)
	case "links":
		return export.LinkColumns()
	case "hosts":
		return export.HostColumns()
	case "queue":
		return export.QueueColumns()
	case "skipped":
		return export.SkippedColumns()
	}
	return nil
}

// flags are the ways to write the flags of a command.
func (cmd *command) flags(first string) []string {
	var list []string
	for i := range cmd.options {
		o := &cmd.options[i]
		if !cmd.takes(o, first) {
			continue
		}
		list = append(list, "--"+o.name)
		if o.short != "" {
			list = append(list, "-"+o.short)
		}
	}
	return append(list, "--help")
}

// about is what an option does, in short.
func (o *option) about() string {
	text, _, _ := strings.Cut(o.usage, ";")
	if at := strings.LastIndex(text, " ("); at > 0 && !strings.Contains(text[at:], ")") {
		text = text[:at]
	}
	return text
}

// shellWords are words as a POSIX shell reads them.
func shellWords(words []string) string {
	list := slices.Clone(words)
	for i := range list {
		list[i] = quoted(list[i])
	}
	return strings.Join(list, " ")
}

func bashCompletion(all []*command) string {
	var b strings.Builder
	b.WriteString(`# Completion of pawl for bash 3.2 and later.

# offers those of the words behind the first that begin with it
_pawl_words() {
	local cur=$1 word
	shift
	for word; do
		if [[ $word == "$cur"* ]]; then
			COMPREPLY+=("$prefix$word")
		fi
	done
}

# offers them behind each comma
_pawl_list() {
	local cur=$1
	shift
	if [[ $cur == *,* ]]; then
		prefix+=${cur%,*},
		cur=${cur##*,}
	fi
	_pawl_nospace
	_pawl_words "$cur" "$@"
}

_pawl_nospace() {
	if type compopt >/dev/null 2>&1; then
		compopt -o nospace
	fi
}

# offers files that begin with the first word, or folders
_pawl_files() {
	local name
	if type compopt >/dev/null 2>&1; then
		compopt -o filenames
	fi
	while IFS= read -r name; do
		COMPREPLY+=("$prefix$name")
	done < <(compgen "$1" -- "$2")
}

_pawl() {
	local cur=${COMP_WORDS[COMP_CWORD]} cmd= first= flag= key= prefix= word i count=0
	COMPREPLY=()
	# bash takes key=value for three words
	if [[ $cur == = ]]; then
		key=${COMP_WORDS[COMP_CWORD-1]}
		cur=
	elif ((COMP_CWORD > 1)) && [[ ${COMP_WORDS[COMP_CWORD-1]} == = ]]; then
		key=${COMP_WORDS[COMP_CWORD-2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ -n $flag ]]; then
			if [[ $word != = ]]; then
				flag=
			fi
			continue
		fi
		case $word in
		: | =)
			((i++))
			;;
		-*)
			case $cmd:$word in
`)
	var patterns []string
	seen := map[string]bool{}
	for _, cmd := range all {
		for i := range cmd.options {
			if o := &cmd.options[i]; o.arg != "" {
				patterns = append(patterns, cmd.name+":--"+o.name)
				if o.short != "" {
					patterns = append(patterns, cmd.name+":-"+o.short)
				}
				if !seen[o.name] {
					seen[o.name] = true
					patterns = append(patterns, ":--"+o.name)
				}
			}
		}
	}
	b.WriteString("\t\t\t" + strings.Join(patterns, " | \\\n\t\t\t\t") + ")\n\t\t\t\tflag=$word\n\t\t\t\t;;\n")
	b.WriteString(`			esac
			;;
		*)
			if [[ -z $cmd ]]; then
				cmd=$word
			else
				if ((count == 0)); then
					first=$word
				fi
				((count++))
			fi
			;;
		esac
	done
	if [[ -n $flag ]]; then
		case $cmd:$first:$flag in
`)
	for _, cmd := range all {
		for i := range cmd.options {
			o := &cmd.options[i]
			pattern := func(first string) string {
				first = cmd.name + ":" + first
				if o.short != "" {
					return first + ":--" + o.name + " | " + first + ":-" + o.short
				}
				return first + ":--" + o.name
			}
			usual := bashOffer(cmd.offerOf(o, ""))
			for _, first := range cmd.firsts() {
				if what := bashOffer(cmd.offerOf(o, first)); what != usual {
					fmt.Fprintf(&b, "\t\t%s) %s ;;\n", pattern(first), what)
				}
			}
			if usual != "" {
				fmt.Fprintf(&b, "\t\t%s) %s ;;\n", pattern("*"), usual)
			}
		}
	}
	b.WriteString(`		esac
		return
	fi
	case $cmd in
	'')
`)
	fmt.Fprintf(&b, "\t\t_pawl_words \"$cur\" %s help --help --version\n\t\t;;\n", shellWords(names(all)))
	fmt.Fprintf(&b, "\thelp) _pawl_words \"$cur\" %s ;;\n", shellWords(names(all)))
	for _, cmd := range all {
		fmt.Fprintf(&b, "\t%s)\n", cmd.name)
		first := cmd.offerFirst()
		if first.values != nil {
			bashPairs(&b, first)
		}
		usual := shellWords(cmd.flags(""))
		fmt.Fprintf(&b, "\t\tif [[ $cur == -* ]]; then\n\t\t\tset -- %s\n", usual)
		for _, word := range cmd.firsts() {
			if flags := shellWords(cmd.flags(word)); flags != usual {
				fmt.Fprintf(&b, "\t\t\t[[ $first == %s ]] && set -- %s\n", word, flags)
			}
		}
		b.WriteString("\t\t\t_pawl_words \"$cur\" \"$@\"\n")
		if what := bashOffer(first); what != "" {
			test := "elif ((count == 0)); then"
			if first.values != nil {
				test = "else"
				what = "_pawl_nospace\n\t\t\t" + what
			}
			fmt.Fprintf(&b, "\t\t%s\n\t\t\t%s\n", test, what)
		}
		for _, word := range cmd.firsts() {
			if rest, flag := cmd.offerRest(word); flag != "" {
				fmt.Fprintf(&b, "\t\telif [[ $first == %s && \" ${COMP_WORDS[*]} \" == *\" %s \"* ]]; then\n\t\t\t%s\n", word, flag, bashOffer(rest))
			}
		}
		b.WriteString("\t\tfi\n\t\t;;\n")
	}
	b.WriteString("\tesac\n}\n\ncomplete -F _pawl pawl\n")
	return b.String()
}

// bashPairs offers the values of keys.
func bashPairs(b *strings.Builder, keys offer) {
	b.WriteString(`		if [[ -z $key && $cur == *=* ]]; then
			# unless = is none of COMP_WORDBREAKS
			key=${cur%%=*}
			prefix=$key=
			cur=${cur#*=}
		fi
		if [[ -n $key ]]; then
			case ${key%+} in
`)
	for _, name := range slices.Sorted(maps.Keys(keys.values)) {
		fmt.Fprintf(b, "\t\t\t%s) %s ;;\n", name, bashOffer(keys.values[name]))
	}
	b.WriteString("\t\t\tesac\n\t\t\treturn\n\t\tfi\n")
}

func bashOffer(o offer) string {
	switch {
	case o.files:
		return `_pawl_files -f "$cur"`
	case o.folders:
		return `_pawl_files -d "$cur"`
	case len(o.words) > 0 && o.list:
		return `_pawl_list "$cur" ` + shellWords(o.words)
	case len(o.words) > 0:
		return `_pawl_words "$cur" ` + shellWords(o.words)
	}
	return ""
}

func zshCompletion(all []*command) string {
	// Within a specification a colon and brackets mean something, and the
	// specification is quoted for the shell.
	text := func(s string) string {
		return strings.NewReplacer(`\`, `\\`, ":", `\:`, "[", `\[`, "]", `\]`, "'", `'\''`).Replace(s)
	}
	// Offers that one action cannot tell have a function of their own, beside it.
	var functions strings.Builder
	simple := func(o offer) string {
		switch {
		case o.files:
			return "_files"
		case o.folders:
			return "_files -/"
		case o.list:
			return "compset -P '*,'; compadd \"$@\" -S '' -- " + strings.Join(o.words, " ")
		}
		return "compadd \"$@\" -- " + strings.Join(o.words, " ")
	}
	action := func(o offer) string {
		switch {
		case o.files:
			return "_files"
		case o.folders:
			return "_files -/"
		case o.values != nil:
			functions.WriteString("_pawl_setting() {\n\tif ! compset -P 1 '*='; then\n\t\tcompadd \"$@\" -S '' -- " + strings.Join(o.words, " ") +
				"\n\t\treturn\n\tfi\n\tcase ${${IPREFIX%=}%+} in\n")
			for _, name := range slices.Sorted(maps.Keys(o.values)) {
				fmt.Fprintf(&functions, "\t%s) %s ;;\n", name, simple(o.values[name]))
			}
			functions.WriteString("\tesac\n}\n\n")
			return "_pawl_setting"
		case len(o.words) > 0:
			return "(" + strings.Join(o.words, " ") + ")"
		}
		return " "
	}
	var b strings.Builder
	b.WriteString("#compdef pawl\n# Completion of pawl for zsh.\n\n_pawl() {\n\tlocal curcontext=\"$curcontext\" state line ret=1\n\ttypeset -A opt_args\n" +
		"\t_arguments -C '1:command:->command' '*::argument:->argument' && ret=0\n\tcase $state in\n\tcommand)\n\t\tlocal -a list\n\t\tlist=(\n")
	for _, cmd := range all {
		fmt.Fprintf(&b, "\t\t\t'%s:%s'\n", cmd.name, text(cmd.summary))
	}
	b.WriteString("\t\t\t'help:tell how a command is used'\n\t\t)\n\t\t_describe -t commands command list && ret=0\n\t\t;;\n\targument)\n\t\tcase $words[1] in\n")
	fmt.Fprintf(&b, "\t\thelp) _arguments '1:command:(%s)' && ret=0 ;;\n", strings.Join(names(all), " "))
	lists := func(cmd *command, o *option) string {
		name := "_pawl_" + cmd.name + "_" + o.name
		fmt.Fprintf(&functions, "%s() {\n\tcase $words[2] in\n", name)
		usual := simple(cmd.offerOf(o, ""))
		for _, first := range cmd.firsts() {
			switch of := cmd.offerOf(o, first); {
			case of.isNothing():
				fmt.Fprintf(&functions, "\t%s) ;;\n", first)
			case simple(of) != usual:
				fmt.Fprintf(&functions, "\t%s) %s ;;\n", first, simple(of))
			}
		}
		fmt.Fprintf(&functions, "\t*) %s ;;\n\tesac\n}\n\n", usual)
		return name
	}
	arguments := func(cmd *command, word string) {
		b.WriteString("\t\t\t_arguments -s \\\n")
		for i := range cmd.options {
			o := &cmd.options[i]
			if !cmd.takes(o, word) {
				continue
			}
			value := ""
			if of := cmd.offerOf(o, ""); of.list {
				value = ":" + text(o.arg) + ":" + lists(cmd, o)
			} else if o.arg != "" {
				value = ":" + text(o.arg) + ":" + action(of)
			}
			var front string
			switch {
			case o.repeat && o.short != "":
				front = fmt.Sprintf("'*'{-%s,--%s}", o.short, o.name)
			case o.repeat:
				front = "'*'--" + o.name
			case o.short != "":
				front = fmt.Sprintf("'(-%s --%s)'{-%s,--%s}", o.short, o.name, o.short, o.name)
			default:
				front = "--" + o.name
			}
			fmt.Fprintf(&b, "\t\t\t\t%s'[%s]%s' \\\n", front, text(o.about()), value)
		}
		b.WriteString("\t\t\t\t'(- *)--help[tell how it is used]'")
		rest := " "
		if of, flag := cmd.offerRest(word); flag != "" {
			rest = "_pawl_" + cmd.name + "_" + word
			fmt.Fprintf(&functions, "%s() {\n\tif [[ -n ${words[(r)%s]} ]]; then\n\t\t%s\n\tfi\n}\n\n", rest, flag, simple(of))
		}
		switch first := cmd.offerFirst(); {
		case first.values != nil:
			fmt.Fprintf(&b, " \\\n\t\t\t\t'*:setting:%s'", action(first))
		case cmd.args == "":
		case action(first) == " " || strings.Contains(cmd.args, "..."):
			fmt.Fprintf(&b, " \\\n\t\t\t\t'*:%s:%s'", text(strings.Trim(cmd.args, "[].")), action(first))
		default:
			fmt.Fprintf(&b, " \\\n\t\t\t\t'1:%s:%s' '*: :%s'", "what", action(first), rest)
		}
		b.WriteString(" && ret=0\n")
	}
	for _, cmd := range all {
		fmt.Fprintf(&b, "\t\t%s)\n", cmd.name)
		begin := "\t\t\tcase $words[2] in\n"
		for _, word := range cmd.firsts() {
			_, rest := cmd.offerRest(word)
			if rest != "" || !slices.Equal(cmd.flags(word), cmd.flags("")) {
				fmt.Fprintf(&b, "%s\t\t\t%s)\n", begin, word)
				arguments(cmd, word)
				b.WriteString("\t\t\t\t;;\n")
				begin = ""
			}
		}
		if begin == "" {
			b.WriteString("\t\t\t*)\n")
		}
		arguments(cmd, "")
		if begin == "" {
			b.WriteString("\t\t\t\t;;\n\t\t\tesac\n")
		}
		b.WriteString("\t\t\t;;\n")
	}
	b.WriteString("\t\tesac\n\t\t;;\n\tesac\n\treturn ret\n}\n\n" + functions.String() +
		"if [[ ${funcstack[1]} == _pawl ]]; then\n\t_pawl \"$@\"\nelse\n\tcompdef _pawl pawl\nfi\n")
	return b.String()
}

func fishCompletion(all []*command) string {
	text := func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
	}
	var b strings.Builder
	b.WriteString(`# Completion of pawl for fish.

# offers words behind each comma
function __pawl_list
	set -l before (commandline -ct | string replace -r '^-[^=]*=' '' | string replace -r '[^,]*$' '')
	printf '%s\n' "$before"$argv
end

complete -c pawl -f
`)
	for _, cmd := range all {
		fmt.Fprintf(&b, "complete -c pawl -n __fish_use_subcommand -a %s -d %s\n", cmd.name, text(cmd.summary))
	}
	b.WriteString("complete -c pawl -n __fish_use_subcommand -a help -d 'tell how a command is used'\n")
	fmt.Fprintf(&b, "complete -c pawl -n '__fish_seen_subcommand_from help' -a %s\n", text(strings.Join(names(all), " ")))
	for _, cmd := range all {
		b.WriteString("\n")
		seen := "__fish_seen_subcommand_from " + cmd.name
		for i := range cmd.options {
			o := &cmd.options[i]
			var not []string
			for _, first := range cmd.firsts() {
				if !cmd.takes(o, first) {
					not = append(not, first)
				}
			}
			value := cmd.offerOf(o, "")
			usual := value.words
			for _, first := range cmd.firsts() {
				if of := cmd.offerOf(o, first); value.list && !slices.Equal(of.words, usual) {
					fmt.Fprintf(&b, "complete -c pawl -n '%s; and __fish_seen_subcommand_from %s' -l %s -x", seen, first, o.name)
					if not = append(not, first); !of.isNothing() {
						b.WriteString(" -a " + text("(__pawl_list "+strings.Join(of.words, " ")+")"))
					}
					fmt.Fprintf(&b, " -d %s\n", text(o.about()))
				}
			}
			when := seen
			if len(not) > 0 {
				when += "; and not __fish_seen_subcommand_from " + strings.Join(not, " ")
			}
			fmt.Fprintf(&b, "complete -c pawl -n '%s' -l %s", when, o.name)
			if o.short != "" {
				b.WriteString(" -s " + o.short)
			}
			switch {
			case o.arg == "":
			case value.list:
				b.WriteString(" -x -a " + text("(__pawl_list "+strings.Join(value.words, " ")+")"))
			case value.files:
				b.WriteString(" -r -F")
			case value.folders:
				b.WriteString(" -x -a '(__fish_complete_directories)'")
			case len(value.words) > 0:
				b.WriteString(" -x -a " + text(strings.Join(value.words, " ")))
			default:
				b.WriteString(" -x")
			}
			fmt.Fprintf(&b, " -d %s\n", text(o.about()))
		}
		fmt.Fprintf(&b, "complete -c pawl -n '%s' -l help -d 'tell how it is used'\n", seen)
		for _, first := range cmd.firsts() {
			if rest, flag := cmd.offerRest(first); flag != "" {
				fmt.Fprintf(&b, "complete -c pawl -n '%s; and __fish_seen_subcommand_from %s; and string match -q -- %s (commandline -opc)' -a %s\n",
					seen, first, flag, text("(__pawl_list "+strings.Join(rest.words, " ")+")"))
			}
		}
		switch first := cmd.offerFirst(); {
		case first.files:
			fmt.Fprintf(&b, "complete -c pawl -n '%s' -F\n", seen)
		case first.values != nil:
			fmt.Fprintf(&b, "function __pawl_setting\n\tswitch (commandline -ct)\n\t\tcase '*=*'\n\t\t\tprintf '%%s\\n' %s\n\t\tcase '*'\n\t\t\tprintf '%%s\\n' %s\n\tend\nend\n",
				strings.Join(first.pairs(), " "), strings.Join(first.words, " "))
			fmt.Fprintf(&b, "complete -c pawl -n '%s' -a '(__pawl_setting)'\n", seen)
		case len(first.words) > 0:
			fmt.Fprintf(&b, "complete -c pawl -n '%s; and not __fish_seen_subcommand_from %s' -a %s\n", seen, strings.Join(first.words, " "), text(strings.Join(first.words, " ")))
		}
	}
	return b.String()
}

func powershellCompletion(all []*command) string {
	text := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	list := func(words []string) string {
		quoted := make([]string, len(words))
		for i := range words {
			quoted[i] = text(words[i])
		}
		return "@(" + strings.Join(quoted, ", ") + ")"
	}
	var b strings.Builder
	b.WriteString("# Completion of pawl for PowerShell.\n\nRegister-ArgumentCompleter -Native -CommandName pawl -ScriptBlock {\n" +
		"\tparam($wordToComplete, $commandAst, $cursorPosition)\n\n\t# what each command, and then each flag of one, does\n\t$about = [ordered]@{\n")
	for _, cmd := range all {
		fmt.Fprintf(&b, "\t\t%s = %s\n", text(cmd.name), text(cmd.summary))
	}
	b.WriteString("\t\t'help' = 'tell how a command is used'\n\t}\n\t$flags = @{\n")
	for _, cmd := range all {
		fmt.Fprintf(&b, "\t\t%s = [ordered]@{\n", text(cmd.name))
		for i := range cmd.options {
			o := &cmd.options[i]
			// PowerShell tells no -h from -H.
			fmt.Fprintf(&b, "\t\t\t%s = %s\n", text("--"+o.name), text(o.about()))
		}
		b.WriteString("\t\t\t'--help' = 'tell how it is used'\n\t\t}\n")
	}
	b.WriteString("\t}\n\t# those that go with a first argument\n\t$flagsOf = @{\n")
	for _, cmd := range all {
		for _, first := range cmd.firsts() {
			if flags := cmd.flags(first); !slices.Equal(flags, cmd.flags("")) {
				flags = slices.DeleteFunc(flags, func(f string) bool { return !strings.HasPrefix(f, "--") })
				fmt.Fprintf(&b, "\t\t%s = %s\n", text(cmd.name+" "+first), list(flags))
			}
		}
	}
	b.WriteString("\t}\n\t# flags that take a value, and those that it may be; files are offered by the shell\n\t$values = New-Object 'System.Collections.Hashtable' ([StringComparer]::Ordinal)\n")
	for _, cmd := range all {
		for i := range cmd.options {
			o := &cmd.options[i]
			if o.arg == "" {
				continue
			}
			words := list(cmd.offerOf(o, "").words)
			for _, first := range cmd.firsts() {
				if of := list(cmd.offerOf(o, first).words); of != words {
					fmt.Fprintf(&b, "\t$values[%s] = %s\n", text(cmd.name+" "+first+" --"+o.name), of)
				}
			}
			fmt.Fprintf(&b, "\t$values[%s] = %s\n", text(cmd.name+" --"+o.name), words)
			if o.short != "" {
				fmt.Fprintf(&b, "\t$values[%s] = %s\n", text(cmd.name+" -"+o.short), words)
			}
		}
	}
	b.WriteString("\t$first = @{\n")
	fmt.Fprintf(&b, "\t\t'help' = %s\n", list(names(all)))
	for _, cmd := range all {
		if first := cmd.offerFirst(); len(first.words) > 0 {
			fmt.Fprintf(&b, "\t\t%s = %s\n", text(cmd.name), list(append(first.words, first.pairs()...)))
		}
	}
	b.WriteString("\t}\n\t# what may come behind the first argument, and the flag that this needs\n\t$rest = @{\n")
	for _, cmd := range all {
		for _, first := range cmd.firsts() {
			if of, flag := cmd.offerRest(first); flag != "" {
				fmt.Fprintf(&b, "\t\t%s = %s\n", text(cmd.name+" "+first+" "+flag), list(of.words))
			}
		}
	}
	b.WriteString(`	}

	$command = ''
	$argument = ''
	$last = ''
	$flag = ''
	$count = 0
	foreach ($element in ($commandAst.CommandElements | Select-Object -Skip 1)) {
		if ($element.Extent.EndOffset -ge $cursorPosition) { break }
		$word = $element.Extent.Text
		if ($flag -ne '') { $flag = ''; continue }
		if ($word.StartsWith('-')) {
			if ($values.ContainsKey("$command $word")) { $flag = $word } else { $last = $word }
		} elseif ($command -eq '') { $command = $word }
		else {
			if ($count -eq 0) { $argument = $word }
			$count++
		}
	}

	function offer($words, $about) {
		foreach ($word in $words) {
			if ($word.StartsWith($wordToComplete, [StringComparison]::Ordinal)) {
				$tip = $word
				if ($about -and $about.Contains($word)) { $tip = $about[$word] }
				[System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $tip)
			}
		}
	}

	if ($flag -ne '') {
		if ($values.ContainsKey("$command $argument $flag")) { offer $values["$command $argument $flag"] $null }
		else { offer $values["$command $flag"] $null }
	}
	elseif ($command -eq '') { offer $about.Keys $about }
	elseif ($wordToComplete.StartsWith('-') -and $flagsOf.ContainsKey("$command $argument")) { offer $flagsOf["$command $argument"] $flags[$command] }
	elseif ($wordToComplete.StartsWith('-')) { if ($flags.ContainsKey($command)) { offer $flags[$command].Keys $flags[$command] } }
	elseif (($count -eq 0 -or $command -eq 'set') -and $first.ContainsKey($command)) { offer $first[$command] $null }
	elseif ($rest.ContainsKey("$command $argument $last")) { offer $rest["$command $argument $last"] $null }
}
`)
	return b.String()
}
