/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The tables of command_table.h. */
#include "sandbox/command_table.h"
#include "base/attr.h"

#include <stdio.h>

static const struct command_option sandbox_options[] = {
	{"profile",           'p', "NAME",                "strict, default (this), net, build"        },
	{"profiles",          'P', "DIR",                 "read the profiles from here"               },
	{"net",               'n', "none|host",           "none (default): only a loopback of its own"},
	{"bind-ro",           'r', "SRC[:DST]",
	 "show a file or directory of the host; may be repeated"                                      },
	{"bind",              'w', "SRC[:DST]",
	 "the same, writable; DST: /work (default), /mnt, /srv, /opt"                                 },
	{"env",               'e', "NAME=VALUE",
	 "nothing is inherited but this; may be repeated"                                             },
	{"memory",            'm', "SIZE",                "of all its processes: 512M, 2G, ..."       },
	{"pids",              'i', "N",                   "at most so many processes and threads"     },
	{"cpu",               'c', "N",                   "CPUs, such as 1.5"                         },
	{"open-files",        'f', "N",                   "descriptors of a process; 1024"            },
	{"timeout",           't', "TIME",                "10s, 5m, ...: SIGTERM, 1 s later SIGKILL"  },
	{"cgroups",           'g', "prefer|require|none",
	 "whether limits must be enforced; prefer"						    },
	{"allow-no-landlock", 'L', NULL,
	 "go on where the kernel has no Landlock"						     },
};

const struct command_help sandbox_help = {
	.name = "sandbox",
	.args = "[OPTION...] -- COMMAND [ARG...]",
	.summary = "Run one program confined; needs no server and no root",
	.text = "It gets namespaces of its own, no network, a read-only "
		"system, no privileges\nand a seccomp filter.\n\n"
		"  nfo sandbox -- id\n"
		"  nfo sandbox --profile build --bind .:/work --memory 2G -- "
		"make -j2\n\n"
		"Exit code: that of the program; 128 + signal; 124 when the "
		"time ran out;\n125 when the sandbox itself could not be made "
		"(it says at which step).",
	.options = sandbox_options,
	.n_options = ARRAY_LEN(sandbox_options),
};

static const struct command_option doctor_options[] = {
	{"output", 'o', "text|json", "text (default) or json"},
};

const struct command_help doctor_help = {
	.name = "doctor",
	.args = "[--output json]",
	.summary = "What this machine and user can do, and how to mend it",
	.text = "Does each step of making a sandbox in a process of its own, "
		"and says which one\nthis kernel refuses to this user, by "
		"what, and the remedy. Changes nothing.\n\n"
		"Exit code: 0 when sandboxes can be made here, 1 when not.",
	.options = doctor_options,
	.n_options = ARRAY_LEN(doctor_options),
};

void command_help_print(const struct command_help *h)
{
	printf("nfo %s %s\n\n%s.\n\n%s\n\nOptions:\n", h->name, h->args,
	       h->summary, h->text);
	for (size_t i = 0; i < h->n_options; i++) {
		char left[80];

		(void)snprintf(left, sizeof(left), "--%s%s%s",
			       h->options[i].name,
			       h->options[i].value ? " " : "",
			       h->options[i].value ? h->options[i].value : "");
		printf("  %-30s %s\n", left, h->options[i].help);
	}
}
