/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Reading profiles; see profile.h.  The compiler is seccomp.c. */
#include "sandbox/profile.h"
#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/builtin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum {
	FILE_MAX = 256 * 1024,
	EXTENDS_MAX = 8
};

struct profile_set {
	struct profile_text *texts;
	size_t n_texts;
	struct profile profiles[PROFILES_MAX];
	size_t n;
};

struct reader {
	struct str file;
	struct profile_text *t;
	struct err *e;
	char key[32];
	int depth;
	bool in_list;
};

static int wrong(struct reader *r, yaml_mark_t m, const char *what,
		 struct str quoted)
{
	return err_set(r->e, ERR_INVALID, STR_FMT ":%zu: %s \"%.40s\"",
		       STR_ARG(r->file), m.line + 1, what,
		       quoted.p ? quoted.p : "");
}

static int add_call(struct reader *r, yaml_mark_t m, struct str name,
		    enum profile_verdict v)
{
	struct profile_text *t = r->t;

	if (!name.len || name.len >= sizeof(t->calls[0].name))
		return wrong(r, m, "not a system call:", name);
	for (size_t i = 0; i < t->n_calls; i++) {
		if (!str_is(name, t->calls[i].name))
			continue;
		return wrong(r, m, "listed twice:", name);
	}
	if (t->n_calls == PROFILE_CALLS_MAX)
		return wrong(r, m, "too many calls at", name);
	memcpy(t->calls[t->n_calls].name, name.p, name.len);
	t->calls[t->n_calls++].verdict = v;
	return 0;
}

static int list_item(struct reader *r, yaml_mark_t m, struct str v)
{
	if (!strcmp(r->key, "allow"))
		return add_call(r, m, v, CALL_ALLOW);
	if (!strcmp(r->key, "errno"))
		return add_call(r, m, v, CALL_ERRNO);
	if (!strcmp(r->key, "kill"))
		return add_call(r, m, v, CALL_KILL);
	if (!strcmp(r->key, "sockets")) {
		if (str_is(v, "unix"))
			r->t->unix_sockets = true;
		else if (str_is(v, "inet"))
			r->t->inet_sockets = true;
		else
			return wrong(r, m, "unknown socket family", v);
		return 0;
	}
	if (!strcmp(r->key, "also")) {
		if (str_is(v, "personality"))
			r->t->any_personality = true;
		else if (str_is(v, "ptrace"))
			r->t->ptrace_own = true;
		else
			return wrong(r, m, "unknown extra", v);
		return 0;
	}
	return wrong(r, m, "a list is not wanted for", str_from(r->key));
}

/* [a-z][a-z0-9_-]*, as all names of ours. */
static bool is_name(struct str v)
{
	for (size_t i = 0; i < v.len; i++) {
		char c = v.p[i];

		if (!(c >= 'a' && c <= 'z') &&
		    !(i && ((c >= '0' && c <= '9') || c == '-' || c == '_')))
			return false;
	}
	return v.len && v.len <= PROFILE_NAME_MAX;
}

static int copy_name(struct reader *r, yaml_mark_t m, struct str v, char *to)
{
	if (!is_name(v))
		return wrong(r, m, "not a name:", v);
	memcpy(to, v.p, v.len);
	to[v.len] = '\0';
	return 0;
}

static int value(struct reader *r, yaml_mark_t m, struct str v)
{
	if (!strcmp(r->key, "profile"))
		return copy_name(r, m, v, r->t->name);
	if (!strcmp(r->key, "extends"))
		return copy_name(r, m, v, r->t->extends);
	if (!strcmp(r->key, "description"))
		return 0;
	if (!strcmp(r->key, "default")) {
		if (!str_is(v, "errno") && !str_is(v, "kill"))
			return wrong(r, m, "default is errno or kill, not", v);
		r->t->kill_default = str_is(v, "kill");
		return 0;
	}
	return wrong(r, m, "unknown key", str_from(r->key));
}

static int scalar(struct reader *r, const yaml_event_t *ev)
{
	struct str v = str_n((const char *)ev->data.scalar.value,
			     ev->data.scalar.length);

	if (r->in_list)
		return list_item(r, ev->start_mark, v);
	if (!r->key[0]) {
		if (!v.len || v.len >= sizeof(r->key))
			return wrong(r, ev->start_mark, "unknown key", v);
		memcpy(r->key, v.p, v.len + 1);
		return 0;
	}
	if (value(r, ev->start_mark, v))
		return -1;
	r->key[0] = '\0';
	return 0;
}

static bool takes_list(const char *key)
{
	static const char *const lists[] = {"allow", "errno", "kill", "sockets",
					    "also"};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (!strcmp(lists[i], key))
			return true;
	return false;
}

static int event(struct reader *r, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return r->depth ? scalar(r, ev) :
				  wrong(r, ev->start_mark, "not a map",
					str_n(NULL, 0));
	case YAML_MAPPING_START_EVENT:
		return r->depth++ ? wrong(r, ev->start_mark,
					  "a map is not wanted for",
					  str_from(r->key)) :
				    0;
	case YAML_SEQUENCE_START_EVENT:
		if (r->depth != 1 || r->in_list || !takes_list(r->key))
			return wrong(r, ev->start_mark,
				     "a list is not wanted for",
				     str_from(r->key));
		r->in_list = true;
		return 0;
	case YAML_SEQUENCE_END_EVENT:
		r->in_list = false;
		r->key[0] = '\0';
		return 0;
	case YAML_ALIAS_EVENT:
		return wrong(r, ev->start_mark, "an alias", str_n(NULL, 0));
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		break;
	}
	return 0;
}

int profile_read(struct str file, struct str yaml, struct profile_text *ret,
		 struct err *e)
{
	struct reader r = {.file = file, .t = ret, .e = e};
	yaml_parser_t p;
	bool end = false;
	int bad = 0;

	memset(ret, 0, sizeof(*ret));
	if (yaml.len > FILE_MAX || !yaml_parser_initialize(&p))
		return err_set(e, ERR_LIMIT, STR_FMT ": too long",
			       STR_ARG(file));
	yaml_parser_set_input_string(&p, (const unsigned char *)yaml.p,
				     yaml.len);
	while (!bad && !end) {
		yaml_event_t ev;

		if (!yaml_parser_parse(&p, &ev)) {
			bad = err_set(e, ERR_INVALID, STR_FMT ":%zu: %s",
				      STR_ARG(file), p.problem_mark.line + 1,
				      p.problem ? p.problem : "not YAML");
			break;
		}
		bad = event(&r, &ev);
		end = ev.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&p);
	if (!bad && !ret->name[0])
		bad = err_set(e, ERR_INVALID, STR_FMT ": no profile: NAME",
			      STR_ARG(file));
	return bad;
}

/* --- sets --------------------------------------------------------------- */

static int add_text(struct profile_set *s, struct str file, struct str yaml,
		    struct err *e)
{
	if (s->n_texts == PROFILES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d profiles",
			       PROFILES_MAX);
	if (profile_read(file, yaml, &s->texts[s->n_texts], e))
		return -1;
	for (size_t i = 0; i < s->n_texts; i++)
		if (!strcmp(s->texts[i].name, s->texts[s->n_texts].name))
			return err_set(e, ERR_INVALID,
				       STR_FMT ": profile \"%s\" is there "
					       "already",
				       STR_ARG(file), s->texts[i].name);
	s->n_texts++;
	return 0;
}

static int add_dir(struct profile_set *s, const char *dir, struct err *e)
{
	CLEANUP_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *ent;
	int bad = 0;
	DIR *d;

	if (fd < 0)
		return err_sys(e, errno, "%s", dir);
	d = fdopendir(fd);
	if (!d)
		return err_sys(e, errno, "%s", dir);
	(void)fd_take(&fd);
	while (!bad && (ent = readdir(d))) {
		CLEANUP_BUF struct buf b = BUF_INIT(FILE_MAX);
		struct str name = str_from(ent->d_name);

		if (!str_ends(name, STR(".yaml")))
			continue;
		bad = fd_read_file(dirfd(d), ent->d_name, &b, e) ||
		      add_text(s, name, buf_view(&b), e);
	}
	closedir(d);
	return bad ? -1 : 0;
}

static const struct profile_text *text_of(const struct profile_set *s,
					  const char *name)
{
	for (size_t i = 0; i < s->n_texts; i++)
		if (!strcmp(s->texts[i].name, name))
			return &s->texts[i];
	return NULL;
}

/* Put base's rules under those of t: the nearer one wins. */
static void inherit(struct profile_text *t, const struct profile_text *base)
{
	for (size_t i = 0; i < base->n_calls; i++) {
		bool known = false;

		for (size_t k = 0; k < t->n_calls && !known; k++)
			known = !strcmp(t->calls[k].name, base->calls[i].name);
		if (!known && t->n_calls < PROFILE_CALLS_MAX)
			t->calls[t->n_calls++] = base->calls[i];
	}
	t->kill_default |= base->kill_default;
	t->unix_sockets |= base->unix_sockets;
	t->inet_sockets |= base->inet_sockets;
	t->any_personality |= base->any_personality;
	t->ptrace_own |= base->ptrace_own;
}

static int resolve(const struct profile_set *s, const struct profile_text *from,
		   struct profile_text *ret, struct err *e)
{
	const struct profile_text *at = from;

	*ret = *from;
	for (int i = 0; at->extends[0]; i++) {
		const struct profile_text *base = text_of(s, at->extends);

		if (!base || i == EXTENDS_MAX)
			return err_set(e, ERR_INVALID,
				       "profile \"%s\" extends \"%s\", which "
				       "%s",
				       at->name, at->extends,
				       base ? "goes round in circles" :
					      "is not there");
		inherit(ret, base);
		at = base;
	}
	return 0;
}

static int compile_all(struct profile_set *s, struct err *e)
{
	CLEANUP_MEM struct profile_text *t = mem_alloc(sizeof(*t));

	for (size_t i = 0; i < s->n_texts; i++) {
		if (resolve(s, &s->texts[i], t, e) ||
		    profile_compile(t, &s->profiles[s->n], e))
			return -1;
		s->n++;
	}
	return 0;
}

int profile_set_new(const char *dir, struct profile_set **ret, struct err *e)
{
	struct profile_set *s = mem_alloc(sizeof(*s));
	int bad = 0;

	s->texts = mem_array(PROFILES_MAX, sizeof(*s->texts));
	if (dir)
		bad = add_dir(s, dir, e);
	for (size_t i = 0; !dir && !bad && i < sandbox_n_builtin; i++)
		bad = add_text(s, str_from(sandbox_builtin[i].name),
			       str_from(sandbox_builtin[i].text), e);
	bad = bad || compile_all(s, e);
	mem_free(s->texts);
	s->texts = NULL;
	if (bad) {
		profile_set_free(s);
		return -1;
	}
	*ret = s;
	return 0;
}

void profile_set_free(struct profile_set *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		mem_free(s->profiles[i].filter.filter);
	mem_free(s->texts);
	mem_free(s);
}

const struct profile *profile_find(const struct profile_set *s,
				   const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->profiles[i].name, name))
			return &s->profiles[i];
	return NULL;
}

size_t profile_count(const struct profile_set *s)
{
	return s->n;
}

const struct profile *profile_at(const struct profile_set *s, size_t i)
{
	return &s->profiles[i];
}
