/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Verbs about what belongs to a stored job: its schedules, its hooks. */
#include "base/hex.h"
#include "cli/context.h"
#include "cli/verbs.h"

#include <string.h>

static void path_of(struct buf *b, const char *project, const char *job,
		    const char *parts, const char *one, const char *rest)
{
	buf_puts(b, "/v1/projects/");
	percent_encode(b, str_from(project));
	buf_puts(b, "/jobs/");
	percent_encode(b, str_from(job));
	buf_printf(b, "/%s", parts);
	if (one) {
		buf_putc(b, '/');
		percent_encode(b, str_from(one));
	}
	buf_puts(b, rest);
}

int part_verb(int argc, char **argv, const struct verb *v, const char *parts,
	      const struct part_action *actions, size_t n_actions)
{
	CLEANUP_BUF struct buf path = BUF_INIT(1024);
	const char *project = NULL;
	const struct opt opts[] = {
		{"project", 'p', OPT_TEXT, &project, "NAME",
		 "the job's project; default"}
        };
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	project = context_project(project);
	for (size_t i = 0; n && i < n_actions; i++) {
		const struct part_action *a = &actions[i];

		if (strcmp(argv[0], a->name) != 0 || n != (a->one ? 3U : 2U))
			continue;
		path_of(&path, project, argv[1], parts, a->one ? argv[2] : NULL,
			a->rest);
		return a->fn(buf_cstr(&path));
	}
	return cli_usage(v);
}
