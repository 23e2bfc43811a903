/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The table of verbs. */
#include "cli/verbs.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

static const struct verb verbs[] = {
	{"run",      "FILE [--source DIR] [--input K=V]... [--script FILE]",
	 "Run a job and follow it: its tasks' lines as they come, then a table",					     "  nfo run examples/hello.toml --input name=world\n"
	 "  nfo run release.yaml --source .\n"
	 "  nfo run --script backup.sh\n\n"
	 "Exit code: 0 when the run succeeded, 1 when it did not, 2 for a wrong\n"
	 "job, 3 when policy refuses it, 4 without a server.",					     verb_run     },
	{"runs",     "[--status S]... [--job J] [--limit N]",                    "Runs, newest first",
	 NULL,																					     verb_runs    },
	{"show",     "RUN",						      "A run with its tasks",                     NULL,							 verb_show    },
	{"logs",     "[-f] RUN [TASK]",					  "The log of a task, or of all",             NULL,
	 verb_logs																						      },
	{"cancel",   "RUN",						      "End a run; its `finally` tasks still run", NULL,
	 verb_cancel																						    },
	{"artifact", "RUN [TASK.NAME [--to FILE]]",
	 "List what a run left behind, or fetch one",									NULL,                                                         verb_artifact},
	{"secret",   "put|list|rm [NAME]",
	 "Secrets of the local store; values come from standard input",						      "  nfo secret put sign_key < key.pem\n"
	 "  nfo secret list\n"
	 "  nfo secret rm sign_key",										verb_secret  },
	{"check",    "FILE...",						  "Check jobs without running them",
	 "Each mistake with its place, and a hint. Exit code 2 when there is "
	 "one.",																					   verb_check   },
	{"convert",  "FILE --to yaml|json|toml",                                 "A job in another syntax",                  NULL,
	 verb_convert																						   },
	{"import",   "SCRIPT",						   "A shell script as a job, byte for byte",   NULL,
	 verb_import																						    },
	{"explain",  "[KEY]",						    "What a key of the job format is for",
	 "  nfo explain timeout\n  nfo explain sandbox.limits",															    verb_explain },
	{"serve",    "[--listen 127.0.0.1:PORT] [--socket PATH] [--policy DIR]",
	 "The server, in the foreground",										    "Without options it serves the private socket of this user.",
	 verb_serve																						     },
	{"version",  "",							 "The version",                              NULL,							 verb_version },
};

/* Of the program `nfo` itself, listed here for the help. */
static const struct {
	const char *name, *summary;
} others[] = {
	{"sandbox", "Run one program confined; needs no server"            },
	{"doctor",  "What this machine and user can do, and how to mend it"},
};

static void usage(FILE *to)
{
	fputs("NotForOil: run jobs in a sandbox, with secrets, logs and "
	      "artifacts.\n\n  nfo COMMAND [OPTION...]\n\n",
	      to);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		fprintf(to, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		fprintf(to, "  %-10s %s\n", others[i].name, others[i].summary);
	fputs("\nEach has --help. Without a server a private one is started.\n",
	      to);
}

int cli_main(int argc, char **argv)
{
	const char *like = NULL;

	(void)setlocale(LC_CTYPE, "");
	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help")) {
		usage(stdout);
		return EXIT_DONE;
	}
	if (!strcmp(argv[1], "--version"))
		argv[1] = (char *)(uintptr_t) "version";
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (!strcmp(verbs[i].name, argv[1]))
			return verbs[i].run(argc - 1, argv + 1, &verbs[i]);
		if (str_distance(str_from(argv[1]), str_from(verbs[i].name),
				 2) <= 2)
			like = verbs[i].name;
	}
	fprintf(stderr, "nfo: no command \"%s\"%s%s%s (see nfo --help)\n",
		argv[1], like ? "; did you mean \"" : "", like ? like : "",
		like ? "\"?" : "");
	return EXIT_USAGE;
}
