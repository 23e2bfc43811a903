/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo completion`: how each shell asks `nfo __complete` (complete.c). */
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

static const char bash[] =
	"# bash completion for nfo; made by `nfo completion bash`.\n"
	"_nfo() {\n"
	"	local line word=${COMP_WORDS[COMP_CWORD]}\n"
	"	local -a more\n"
	"	COMPREPLY=()\n"
	"	while IFS= read -r line; do\n"
	"		case $line in\n"
	"		:files | :dirs)\n"
	"			compopt -o filenames 2>/dev/null || :\n"
	"			[ \"$line\" = :files ] && line=-f || line=-d\n"
	"			mapfile -t more < <(compgen \"$line\" -- \"$word\")\n"
	"			COMPREPLY+=(\"${more[@]}\")\n"
	"			;;\n"
	"		*) COMPREPLY+=(\"${line%%$'\\t'*}\") ;;\n"
	"		esac\n"
	"	done < <(\"${COMP_WORDS[0]}\" __complete \\\n"
	"		\"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
	"}\n"
	"complete -F _nfo nfo\n";

static const char zsh[] =
	"#compdef nfo\n"
	"# zsh completion for nfo; made by `nfo completion zsh`.\n"
	"_nfo() {\n"
	"	local line tab=$'\\t'\n"
	"	local -a found\n"
	"	for line in \"${(@f)$(\"${words[1]}\" __complete \\\n"
	"		\"${(@)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
	"		case $line in\n"
	"		'') ;;\n"
	"		:files) _files ;;\n"
	"		:dirs) _files -/ ;;\n"
	"		*) found+=(\"${${line%%$tab*}//:/\\\\:}:${line#*$tab}\") ;;\n"
	"		esac\n"
	"	done\n"
	"	(( $#found )) && _describe nfo found\n"
	"}\n"
	"if [[ ${funcstack[1]} == _nfo ]]; then\n"
	"	_nfo \"$@\"\n"
	"else\n"
	"	compdef _nfo nfo\n"
	"fi\n";

static const char fish[] =
	"# fish completion for nfo; made by `nfo completion fish`.\n"
	"function __nfo_complete\n"
	"	set -l words (commandline -opc)\n"
	"	set -l current (commandline -ct)\n"
	"	set -l lines ($words[1] __complete $words[2..-1] \"$current\" "
	"2>/dev/null)\n"
	"	for line in $lines\n"
	"		switch $line\n"
	"			case ':files'\n"
	"				__fish_complete_path \"$current\"\n"
	"			case ':dirs'\n"
	"				__fish_complete_directories \"$current\"\n"
	"			case '*'\n"
	"				printf '%s\\n' $line\n"
	"		end\n"
	"	end\n"
	"end\n"
	"complete -c nfo -f -a '(__nfo_complete)'\n";

static const struct {
	const char *name, *script;
} shells[] = {
	{"bash", bash},
	{"zsh",  zsh },
	{"fish", fish},
};

int verb_completion(int argc, char **argv, const struct verb *v)
{
	size_t n;
	int r = opts_parse(argc, argv, v, NULL, 0, &n);

	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	for (size_t i = 0; n == 1 && i < ARRAY_LEN(shells); i++)
		if (!strcmp(argv[0], shells[i].name)) {
			fputs(shells[i].script, stdout);
			return EXIT_DONE;
		}
	fprintf(stderr, "nfo: usage: nfo %s %s\n", v->name, v->args);
	return EXIT_USAGE;
}
