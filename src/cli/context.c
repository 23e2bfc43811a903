/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Servers by name; see context.h. */
#include "cli/context.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cli/opts.h"
#include "doc/doc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIELD(NAME)                                                            \
	{                                                                      \
#NAME, offsetof(struct context, NAME),                         \
			sizeof(((struct context *)NULL)->NAME)                 \
	}

/* What a context may say. */
static const struct field {
	const char *key;
	size_t at, max;
} fields[] = {
	FIELD(server), FIELD(token_file), FIELD(ca),
	FIELD(cert),   FIELD(key),        FIELD(project),
};

char *context_field(struct context *c, const char *key, size_t *ret_max)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (!strcmp(fields[i].key, key)) {
			*ret_max = fields[i].max;
			return (char *)c + fields[i].at;
		}
	return NULL;
}

static const char *env(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? v : NULL;
}

int context_path(struct buf *out, struct err *e)
{
	if (env("NFO_CONFIG"))
		buf_puts(out, env("NFO_CONFIG"));
	else if (env("XDG_CONFIG_HOME"))
		buf_printf(out, "%s/nfo/config.yaml", env("XDG_CONFIG_HOME"));
	else if (env("HOME"))
		buf_printf(out, "%s/.config/nfo/config.yaml", env("HOME"));
	else
		return err_set(e, ERR_INVALID,
			       "no home: set NFO_CONFIG to a file");
	return out->failed ? err_set(e, ERR_LIMIT, "the path is too long") : 0;
}

/* --- reading ------------------------------------------------------------ */

static void take_text(const struct doc_node *n, char *to, size_t max,
		      struct problems *ps)
{
	struct str s;

	if (doc_as_string(n, &s) || s.len >= max || str_has(s, '\n'))
		problem_at(ps, n, "wrong-type", "",
			   "a text of one line and at most %zu bytes is wanted",
			   max - 1);
	else
		(void)snprintf(to, max, STR_FMT, STR_ARG(s));
}

static void read_one(const struct doc_node *n, struct contexts *all,
		     struct problems *ps)
{
	struct context *c;

	if (all->n == CONTEXTS_MAX || n->key.len >= sizeof(c->name)) {
		problem_at_key(ps, n, "too-many", "",
			       "at most %d contexts, with names of at most %zu "
			       "bytes",
			       CONTEXTS_MAX, sizeof(c->name) - 1);
		return;
	}
	c = &all->items[all->n++];
	(void)snprintf(c->name, sizeof(c->name), STR_FMT, STR_ARG(n->key));
	if (n->kind != DOC_MAP) {
		problem_at(ps, n, "wrong-type", "", "a map is wanted");
		return;
	}
	for (const struct doc_node *x = n->first; x; x = x->next) {
		char key[32];
		size_t max;
		char *to;

		(void)snprintf(key, sizeof(key), STR_FMT, STR_ARG(x->key));
		to = context_field(c, key, &max);
		if (to)
			take_text(x, to, max, ps);
		else
			problem_at_key(ps, x, "unknown-key",
				       "server, token_file, ca, cert, key or "
				       "project",
				       "unknown key \"" STR_FMT "\"",
				       STR_ARG(x->key));
	}
	if (!c->server[0])
		problem_at_key(ps, n, "missing-key", "",
			       "context \"%s\" names no server", c->name);
}

static void read_root(const struct doc_node *root, struct contexts *all,
		      struct problems *ps)
{
	if (root->kind != DOC_MAP) {
		problem_at(ps, root, "wrong-type", "", "a map is wanted");
		return;
	}
	for (const struct doc_node *n = root->first; n; n = n->next) {
		if (str_is(n->key, "current")) {
			take_text(n, all->current, sizeof(all->current), ps);
		} else if (str_is(n->key, "contexts") && n->kind == DOC_MAP) {
			for (const struct doc_node *x = n->first; x;
			     x = x->next)
				read_one(x, all, ps);
		} else {
			problem_at_key(ps, n, "unknown-key",
				       "current, or the map contexts",
				       "unknown key \"" STR_FMT "\"",
				       STR_ARG(n->key));
		}
	}
}

static int complain(const char *path, struct problems *ps, struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(64 * 1024);

	problems_sort(ps);
	problems_print(ps, path, &b);
	fputs(buf_cstr(&b), stderr);
	return err_set(e, ERR_INVALID, "%s: cannot be used as it is", path);
}

int context_read(struct contexts **ret, struct err *e)
{
	CLEANUP_BUF struct buf path = BUF_INIT(PATH_MAX);
	CLEANUP_BUF struct buf text = BUF_INIT(CONTEXT_FILE_MAX);
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct contexts *all;
	struct doc *d;

	if (context_path(&path, e))
		return -1;
	if (access(buf_cstr(&path), F_OK) && errno == ENOENT) {
		*ret = mem_alloc(sizeof(**ret));
		return 0;
	}
	if (fd_read_file(AT_FDCWD, buf_cstr(&path), &text, e))
		return err_wrap(e, "%s", buf_cstr(&path));
	if (doc_parse(buf_view(&text), DOC_YAML, &d, ps))
		return complain(buf_cstr(&path), ps, e);
	all = mem_alloc(sizeof(*all));
	read_root(d->root, all, ps);
	doc_free(d);
	if (!ps->n) {
		*ret = all;
		return 0;
	}
	mem_free(all);
	return complain(buf_cstr(&path), ps, e);
}

struct context *context_find(struct contexts *all, const char *name)
{
	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->items[i].name, name))
			return &all->items[i];
	return NULL;
}

/* --- writing ------------------------------------------------------------ */

static int make_dir_of(const char *path, struct err *e)
{
	char dir[PATH_MAX];

	if (strlen(path) >= sizeof(dir))
		return err_set(e, ERR_LIMIT, "%s: too long", path);
	memcpy(dir, path, strlen(path) + 1);
	for (char *p = dir + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(dir, 0700) && errno != EEXIST)
			return err_sys(e, errno, "%s", dir);
		*p = '/';
	}
	return 0;
}

static int put_file(const char *path, struct str text, struct err *e)
{
	char part[PATH_MAX + 16];
	int fd, bad;

	if (make_dir_of(path, e))
		return -1;
	(void)snprintf(part, sizeof(part), "%s.XXXXXX", path);
	fd = mkostemp(part, O_CLOEXEC); /* of mode 0600 */
	if (fd < 0)
		return err_sys(e, errno, "%s", part);
	bad = fd_write_all(fd, text.p, text.len) || fsync(fd) ||
	      rename(part, path);
	if (bad) {
		err_sys(e, errno, "%s", path);
		(void)unlink(part);
	}
	fd_close(&fd);
	return bad ? -1 : 0;
}

int context_write(const struct contexts *all, struct err *e)
{
	CLEANUP_BUF struct buf path = BUF_INIT(PATH_MAX);
	CLEANUP_BUF struct buf text = BUF_INIT(CONTEXT_FILE_MAX);
	struct doc *d = doc_new();
	struct doc_node *map;
	int bad;

	if (all->current[0])
		doc_add_str(d, d->root, "current", str_from(all->current));
	map = doc_add_map(d, d->root, "contexts");
	for (size_t i = 0; i < all->n; i++) {
		const struct context *c = &all->items[i];
		struct doc_node *one = doc_add_map(d, map, c->name);

		for (size_t k = 0; k < ARRAY_LEN(fields); k++) {
			const char *s = (const char *)c + fields[k].at;

			if (*s)
				doc_add_str(d, one, fields[k].key, str_from(s));
		}
	}
	bad = doc_write(d->root, DOC_YAML, &text, e) ||
	      context_path(&path, e) ||
	      put_file(buf_cstr(&path), buf_view(&text), e);
	doc_free(d);
	return bad ? -1 : 0;
}

/* --- the one that counts ------------------------------------------------ */

int context_chosen(const struct context **ret, struct err *e)
{
	static struct contexts *all; /* read once, for the whole command */
	const char *name =
		globals.context ? globals.context : env("NFO_CONTEXT");

	*ret = NULL;
	if (name && !strcmp(name, CONTEXT_PRIVATE))
		return 0;
	if (!globals.context &&
	    (globals.server || env("NFO_SERVER") || globals.state))
		return 0;
	if (globals.context && globals.server)
		return err_set(e, ERR_INVALID,
			       "--server and --context both name a server");
	if (!all && context_read(&all, e))
		return -1;
	if (!name && !all->current[0])
		return 0;
	name = name ? name : all->current;
	*ret = context_find(all, name);
	if (*ret)
		return 0;
	return err_set(e, ERR_INVALID,
		       "there is no context \"%s\" (see nfo context list)",
		       name);
}

const char *context_project(const char *given)
{
	const struct context *c;
	struct err ignored; /* told when the server is looked for */

	if (given)
		return given;
	if (env("NFO_PROJECT"))
		return env("NFO_PROJECT");
	if (!context_chosen(&c, &ignored) && c && c->project[0])
		return c->project;
	return "default";
}

int context_token(const char *path, struct server *s, struct err *e)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP_BUF struct buf b = BUF_INIT(SERVER_TOKEN_MAX);
	struct stat st;
	struct str line;

	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, errno, "%s", path);
	if (S_ISREG(st.st_mode) && st.st_mode & 077)
		return err_set(e, ERR_DENIED,
			       "%s: others may read it (chmod 600)", path);
	if (fd_read_buf(fd, &b, e))
		return err_wrap(e, "%s", path);
	line = buf_view(&b);
	line = str_trim(str_cut(&line, '\n'));
	if (!line.len)
		return err_set(e, ERR_INVALID, "%s: no token is in it", path);
	(void)snprintf(s->token, sizeof(s->token), STR_FMT, STR_ARG(line));
	buf_wipe(&b);
	return 0;
}
