/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The command line of `nfo sandbox`; see command.h. */
#include "base/mem.h"
#include "sandbox/command.h"
#include "sandbox/command_table.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int command_usage(const char *what, const char *value)
{
	fprintf(stderr, "nfo sandbox: %s%s%s (see nfo sandbox --help)\n", what,
		value ? ": " : "", value ? value : "");
	return -1;
}

/* "512M": a number and one of the units, each worth `step` of the one before. */
static int scaled(const char *s, const char *units, uint64_t step,
		  uint64_t *ret)
{
	struct str t = str_from(s);
	uint64_t scale = 1, v;
	const char *u;

	if (t.len && (u = strchr(units, t.p[t.len - 1])) && *u) {
		for (const char *p = units; p <= u; p++)
			scale *= step;
		t.len--;
	}
	if (str_to_u64(t, UINT64_MAX / scale, &v) || !v)
		return -1;
	*ret = v * scale;
	return 0;
}

static int duration(const char *s, int64_t *ret_us)
{
	static const struct {
		char unit;
		int64_t us;
	} units[] = {
		{'s', 1000000   },
                {'m', 60000000  },
                {'h', 3600000000}
        };
	struct str t = str_from(s);
	int64_t v;

	for (size_t i = 0; t.len && i < ARRAY_LEN(units); i++)
		if (t.p[t.len - 1] == units[i].unit &&
		    !str_to_i64(str_n(t.p, t.len - 1), 1, 1000000, &v)) {
			*ret_us = v * units[i].us;
			return 0;
		}
	return -1;
}

static int cpus(const char *s, uint32_t *ret_milli)
{
	char *end;
	double v = strtod(s, &end);

	if (*end || !(v >= 0.01) || v > 1024)
		return -1;
	*ret_milli = (uint32_t)(v * 1000);
	return 0;
}

static int add_bind(struct command *c, const char *arg, bool writable)
{
	const char *colon = strchr(arg, ':');
	struct sandbox_bind *b = &c->spec.binds[c->spec.n_binds];
	char *path = c->paths[c->host.n_roots];
	char src[PATH_MAX];

	if (c->spec.n_binds == SANDBOX_BINDS_MAX)
		return command_usage("too many binds", NULL);
	(void)snprintf(src, sizeof(src), "%.*s",
		       colon ? (int)(colon - arg) : (int)strlen(arg), arg);
	if (!realpath(src, path))
		return command_usage(strerror(errno), src);
	if (colon && (colon[1] != '/' || strlen(colon) > SANDBOX_NAME_MAX))
		return command_usage("an absolute path is wanted", colon + 1);
	(void)snprintf(b->to, sizeof(b->to), "%s",
		       colon ? colon + 1 : SANDBOX_WORK);
	b->root = (uint32_t)c->host.n_roots;
	b->read_only = !writable;
	c->has_work |= !strcmp(b->to, SANDBOX_WORK);
	c->roots[c->host.n_roots++] = (struct sandbox_root){path, writable};
	c->spec.n_binds++;
	return 0;
}

enum {
	OPTIONS_MAX = 32
};

/* The table, as getopt_long() wants it. */
static void for_getopt(struct option out[OPTIONS_MAX])
{
	size_t n = sandbox_help.n_options;

	assert(n + 2 <= OPTIONS_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct command_option *o = &sandbox_help.options[i];

		out[i] = (struct option){
			o->name, o->value ? required_argument : no_argument,
			NULL, o->letter};
	}
	out[n] = (struct option){"help", no_argument, NULL, 'h'};
	out[n + 1] = (struct option){0};
}

static int count(const char *s, uint32_t *ret)
{
	uint64_t v;

	if (str_to_u64(str_from(s), 1 << 22, &v) || !v)
		return -1;
	*ret = (uint32_t)v;
	return 0;
}

static int choose_net(struct command *c, const char *s)
{
	if (strcmp(s, "none") && strcmp(s, "host"))
		return -1;
	c->spec.network = s[0] == 'h' ? SANDBOX_NET_HOST : SANDBOX_NET_NONE;
	return 0;
}

static int choose_cgroups(struct command *c, const char *s)
{
	static const char *const modes[] = {"require", "prefer", "none"};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (!strcmp(s, modes[i])) {
			c->host.cgroups = (enum sandbox_cgroups)i;
			return 0;
		}
	return -1;
}

static int option(struct command *c, int letter, char *arg)
{
	struct sandbox_limits *l = &c->spec.limits;

	switch (letter) {
	case 'p':
		(void)snprintf(c->spec.profile, sizeof(c->spec.profile), "%s",
			       arg);
		return 0;
	case 'P':
		c->host.profile_dir = arg;
		return 0;
	case 'r':
	case 'w':
		return add_bind(c, arg, letter == 'w');
	case 'e':
		if (!strchr(arg, '=') || arg[0] == '=' ||
		    c->n_env == COMMAND_ENV_MAX)
			return command_usage("NAME=VALUE is wanted", arg);
		c->env[c->n_env++] = arg;
		return 0;
	case 'L':
		c->host.allow_no_landlock = true;
		return 0;
	case 'n':
		return choose_net(c, arg) ?
			       command_usage("--net none or host", arg) :
			       0;
	case 'm':
		return scaled(arg, "KMGT", 1024, &l->memory_bytes) ?
			       command_usage("a size such as 512M is wanted",
					     arg) :
			       0;
	case 'i':
		return count(arg, &l->pids) ?
			       command_usage("not a count", arg) :
			       0;
	case 'f':
		return count(arg, &l->open_files) ?
			       command_usage("not a count", arg) :
			       0;
	case 'c':
		return cpus(arg, &l->cpu_milli) ?
			       command_usage("not a number", arg) :
			       0;
	case 't':
		return duration(arg, &c->timeout_us) ?
			       command_usage("a time such as 10s is wanted",
					     arg) :
			       0;
	case 'g':
		return choose_cgroups(c, arg) ?
			       command_usage(
				       "--cgroups prefer, require or none",
				       arg) :
			       0;
	default:
		return command_usage("wrong option", NULL);
	}
}

int command_parse(struct command *c, int argc, char **argv)
{
	struct option options[OPTIONS_MAX];
	int letter;

	for_getopt(options);
	c->host.roots = c->roots;
	c->host.cgroups = CGROUPS_PREFER;
	(void)snprintf(c->spec.profile, sizeof(c->spec.profile), "default");
	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (letter == 'h') {
			command_help_print(&sandbox_help);
			return 1;
		}
		if (letter == '?')
			return command_usage("wrong option", argv[optind - 1]);
		if (option(c, letter, optarg))
			return -1;
	}
	c->argv = argv + optind;
	if (!*c->argv)
		return command_usage("no command", NULL);
	if (!c->has_work) {
		c->spec.work_in_memory = true;
		c->spec.work_bytes = 256 << 20;
	}
	return 0;
}

void command_default_env(struct command *c)
{
	static char *const fixed[] = {
		(char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
			"/usr/bin:/sbin:/bin",
		(char *)"HOME=" SANDBOX_WORK, (char *)"LANG=C.UTF-8"};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		size_t name = (size_t)(strchr(fixed[i], '=') - fixed[i]) + 1;
		bool given = false;

		for (size_t k = 0; k < c->n_env; k++)
			given |= !strncmp(c->env[k], fixed[i], name);
		if (!given)
			c->env[c->n_env++] = fixed[i];
	}
}
