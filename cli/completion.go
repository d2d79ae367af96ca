package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

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
	pairs   bool // the words are keys, and a value follows each without a space
}

// offerOf is what the value of an option may be.
func (cmd *command) offerOf(o *option) offer {
	switch {
	case o.arg == "":
		return offer{}
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
		var words []string
		for _, s := range crawlSettings() {
			if !s.inFile {
				words = append(words, s.name+"=")
			}
		}
		return offer{words: append(words, logLevel+"="), pairs: true}
	case strings.Contains(cmd.args, "|"):
		list, _, _ := strings.Cut(cmd.args, " ")
		return offer{words: strings.Split(strings.Trim(list, "[]"), "|")}
	}
	return offer{}
}

// flags are the ways to write the flags of a command.
func (cmd *command) flags() []string {
	var list []string
	for i := range cmd.options {
		o := &cmd.options[i]
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
			COMPREPLY+=("$word")
		fi
	done
}

# offers files that begin with the first word, or folders
_pawl_files() {
	local name
	if type compopt >/dev/null 2>&1; then
		compopt -o filenames
	fi
	while IFS= read -r name; do
		COMPREPLY+=("$name")
	done < <(compgen "$1" -- "$2")
}

_pawl() {
	local cur=${COMP_WORDS[COMP_CWORD]} cmd= flag= word i count=0
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ -n $flag ]]; then
			# bash takes --flag=value for three words
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
				((count++))
			fi
			;;
		esac
	done
	if [[ -n $flag ]]; then
		if [[ $cur == = ]]; then
			cur=
		fi
		case $cmd:$flag in
`)
	for _, cmd := range all {
		for i := range cmd.options {
			o := &cmd.options[i]
			pattern := cmd.name + ":--" + o.name
			if o.short != "" {
				pattern += " | " + cmd.name + ":-" + o.short
			}
			if what := bashOffer(cmd.offerOf(o)); what != "" {
				fmt.Fprintf(&b, "\t\t%s) %s ;;\n", pattern, what)
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
		fmt.Fprintf(&b, "\t%s)\n\t\tif [[ $cur == -* ]]; then\n\t\t\t_pawl_words \"$cur\" %s\n", cmd.name, shellWords(cmd.flags()))
		first := cmd.offerFirst()
		if what := bashOffer(first); what != "" {
			test := "elif ((count == 0)); then"
			if first.pairs {
				test = "else"
				what = "type compopt >/dev/null 2>&1 && compopt -o nospace\n\t\t\t" + what
			}
			fmt.Fprintf(&b, "\t\t%s\n\t\t\t%s\n", test, what)
		}
		b.WriteString("\t\tfi\n\t\t;;\n")
	}
	b.WriteString("\tesac\n}\n\ncomplete -F _pawl pawl\n")
	return b.String()
}

func bashOffer(o offer) string {
	switch {
	case o.files:
		return `_pawl_files -f "$cur"`
	case o.folders:
		return `_pawl_files -d "$cur"`
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
	action := func(o offer) string {
		switch {
		case o.files:
			return "_files"
		case o.folders:
			return "_files -/"
		case o.pairs:
			return "compadd -S \"\" -- " + strings.Join(o.words, " ")
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
	for _, cmd := range all {
		fmt.Fprintf(&b, "\t\t%s)\n\t\t\t_arguments -s \\\n", cmd.name)
		for i := range cmd.options {
			o := &cmd.options[i]
			value := ""
			if o.arg != "" {
				value = ":" + text(o.arg) + ":" + action(cmd.offerOf(o))
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
		switch first := cmd.offerFirst(); {
		case first.pairs:
			fmt.Fprintf(&b, " \\\n\t\t\t\t'*:setting:%s'", action(first))
		case cmd.args == "":
		case action(first) == " " || strings.Contains(cmd.args, "..."):
			fmt.Fprintf(&b, " \\\n\t\t\t\t'*:%s:%s'", text(strings.Trim(cmd.args, "[].")), action(first))
		default:
			fmt.Fprintf(&b, " \\\n\t\t\t\t'1:%s:%s' '*: : '", "what", action(first))
		}
		b.WriteString(" && ret=0\n\t\t\t;;\n")
	}
	b.WriteString("\t\tesac\n\t\t;;\n\tesac\n\treturn ret\n}\n\n" +
		"if [[ ${funcstack[1]} == _pawl ]]; then\n\t_pawl \"$@\"\nelse\n\tcompdef _pawl pawl\nfi\n")
	return b.String()
}

func fishCompletion(all []*command) string {
	text := func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
	}
	var b strings.Builder
	b.WriteString("# Completion of pawl for fish.\n\ncomplete -c pawl -f\n")
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
			fmt.Fprintf(&b, "complete -c pawl -n '%s' -l %s", seen, o.name)
			if o.short != "" {
				b.WriteString(" -s " + o.short)
			}
			switch value := cmd.offerOf(o); {
			case o.arg == "":
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
		switch first := cmd.offerFirst(); {
		case first.files:
			fmt.Fprintf(&b, "complete -c pawl -n '%s' -F\n", seen)
		case first.pairs:
			fmt.Fprintf(&b, "complete -c pawl -n '%s' -a %s\n", seen, text(strings.Join(first.words, " ")))
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
	b.WriteString("\t}\n\t# flags that take a value, and those that it may be; files are offered by the shell\n\t$values = New-Object 'System.Collections.Hashtable' ([StringComparer]::Ordinal)\n")
	for _, cmd := range all {
		for i := range cmd.options {
			o := &cmd.options[i]
			if o.arg == "" {
				continue
			}
			words := list(cmd.offerOf(o).words)
			fmt.Fprintf(&b, "\t$values[%s] = %s\n", text(cmd.name+" --"+o.name), words)
			if o.short != "" {
				fmt.Fprintf(&b, "\t$values[%s] = %s\n", text(cmd.name+" -"+o.short), words)
			}
		}
	}
	b.WriteString("\t$first = @{\n")
	fmt.Fprintf(&b, "\t\t'help' = %s\n", list(names(all)))
	for _, cmd := range all {
		if words := cmd.offerFirst().words; len(words) > 0 {
			fmt.Fprintf(&b, "\t\t%s = %s\n", text(cmd.name), list(words))
		}
	}
	b.WriteString(`	}

	$command = ''
	$flag = ''
	$count = 0
	foreach ($element in ($commandAst.CommandElements | Select-Object -Skip 1)) {
		if ($element.Extent.EndOffset -ge $cursorPosition) { break }
		$word = $element.Extent.Text
		if ($flag -ne '') { $flag = ''; continue }
		if ($word.StartsWith('-')) {
			if ($values.ContainsKey("$command $word")) { $flag = $word }
		} elseif ($command -eq '') { $command = $word }
		else { $count++ }
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

	if ($flag -ne '') { offer $values["$command $flag"] $null }
	elseif ($command -eq '') { offer $about.Keys $about }
	elseif ($wordToComplete.StartsWith('-')) { if ($flags.ContainsKey($command)) { offer $flags[$command].Keys $flags[$command] } }
	elseif (($count -eq 0 -or $command -eq 'set') -and $first.ContainsKey($command)) { offer $first[$command] $null }
}
`)
	return b.String()
}
