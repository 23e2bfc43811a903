/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Policy files: checked when they are read, then kept as trees; decide.c asks
 * them.  A set travels as one text: for each file "name length\n", the bytes,
 * "\n".
 */
#include "policy/policy.h"
#include "job/keys.h"
#include "policy/builtin.h"
#include "policy/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NAME_LEN_MAX = 128
};

struct str policy_builtin_default(void)
{
	return str_from(policy_builtin[0].text);
}

int policy_set_new(struct policy_set **ret, struct err *e)
{
	(void)e;
	*ret = mem_alloc(sizeof(**ret));
	return 0;
}

void policy_set_free(struct policy_set *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		doc_free(s->files[i].doc);
		mem_free(s->files[i].name);
		mem_free(s->files[i].text);
	}
	mem_free(s);
}

/* --- checking a file ---------------------------------------------------- */

struct shape {
	const char *where, *key;
	enum {
		IS_TEXT,
		IS_LIST,
		IS_MAP,
		IS_BOOL,
		IS_LIMITS
	} kind;
	const char *sub;
};

static const struct shape shapes[] = {
	{"policy", "policy",                   IS_TEXT,   NULL    },
	{"policy", "description",              IS_TEXT,   NULL    },
	{"policy", "rules",                    IS_LIST,   "rule"  },
	{"rule",   "name",                     IS_TEXT,   NULL    },
	{"rule",   "projects",                 IS_LIST,   NULL    },
	{"rule",   "jobs",                     IS_LIST,   NULL    },
	{"rule",   "submitters",               IS_LIST,   NULL    },
	{"rule",   "allow",                    IS_MAP,    "allow" },
	{"rule",   "deny",                     IS_MAP,    "deny"  },
	{"rule",   "limits",                   IS_MAP,    "limits"},
	{"allow",  "profiles",                 IS_LIST,   NULL    },
	{"allow",  "networks",                 IS_LIST,   NULL    },
	{"allow",  "sources",                  IS_LIST,   NULL    },
	{"allow",  "secrets",                  IS_LIST,   NULL    },
	{"allow",  "identities",               IS_LIST,   NULL    },
	{"allow",  "deliver",                  IS_LIST,   NULL    },
	{"allow",  "shared_workspace_secrets", IS_BOOL,   NULL    },
	{"allow",  "cache_secrets",            IS_BOOL,   NULL    },
	{"allow",  "keep_leases",              IS_BOOL,   NULL    },
	{"allow",  "artifact_secrets",         IS_BOOL,   NULL    },
	{"deny",   "profiles",                 IS_LIST,   NULL    },
	{"deny",   "networks",                 IS_LIST,   NULL    },
	{"deny",   "sources",                  IS_LIST,   NULL    },
	{"deny",   "secrets",                  IS_LIST,   NULL    },
	{"deny",   "identities",               IS_LIST,   NULL    },
	{"deny",   "deliver",                  IS_LIST,   NULL    },
	{"deny",   "env",                      IS_LIST,   NULL    },
	{"limits", "most",                     IS_LIMITS, "limit" },
	{"limits", "default",                  IS_LIMITS, "limit" },
};

static const struct {
	const char *key;
	bool size; /* else a count, cpu apart, timeout apart */
} limit_keys[] = {
	{"memory",     true },
        {"disk",       true },
        {"log",        true },
	{"pids",       false},
        {"cpu",        false},
        {"open_files", false},
	{"timeout",    false},
};

static void check_limits(struct doc_node *map, struct problems *ps)
{
	for (struct doc_node *n = map->first; n; n = n->next) {
		bool known = false, ok = false;
		uint64_t v;

		for (size_t i = 0; i < ARRAY_LEN(limit_keys); i++) {
			if (!str_is(n->key, limit_keys[i].key))
				continue;
			known = true;
			ok = limit_keys[i].size ? !job_size(n->text, &v) :
			     str_is(n->key, "timeout") ?
						  !job_duration(n->text, &v) :
						  policy_number(n->text) > 0;
		}
		if (!known)
			problem_at_key(ps, n, "unknown-key", NULL,
				       "no limit \"" STR_FMT "\"",
				       STR_ARG(n->key));
		else if (!ok)
			problem_at(ps, n, "bad-value", NULL,
				   STR_FMT ": a size, count or time is wanted",
				   STR_ARG(n->key));
	}
}

static void check_map(struct doc_node *map, const char *where,
		      struct problems *ps);

static void check_value(struct doc_node *n, const struct shape *s,
			struct problems *ps)
{
	bool b;
	bool ok = s->kind == IS_TEXT ?
			  n->kind == DOC_PLAIN || n->kind == DOC_STRING :
		  s->kind == IS_BOOL ? !doc_as_bool(n, &b) :
		  s->kind == IS_LIST ? n->kind == DOC_LIST :
				       n->kind == DOC_MAP;

	if (!ok) {
		problem_at(ps, n, "wrong-type", NULL, "%s: not %s", s->key,
			   doc_kind_name(n->kind));
		return;
	}
	if (s->kind == IS_MAP)
		check_map(n, s->sub, ps);
	if (s->kind == IS_LIMITS)
		check_limits(n, ps);
	for (struct doc_node *k = n->first; s->kind == IS_LIST && k;
	     k = k->next) {
		if (s->sub && k->kind == DOC_MAP)
			check_map(k, s->sub, ps);
		else if (s->sub || k->kind == DOC_MAP || k->kind == DOC_LIST)
			problem_at(ps, k, "wrong-type", NULL, "%s: not %s",
				   s->key, doc_kind_name(k->kind));
	}
}

static void check_map(struct doc_node *map, const char *where,
		      struct problems *ps)
{
	for (struct doc_node *n = map->first; n; n = n->next) {
		const struct shape *s = NULL;

		for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
			if (!strcmp(shapes[i].where, where) &&
			    str_is(n->key, shapes[i].key))
				s = &shapes[i];
		if (s)
			check_value(n, s, ps);
		else
			problem_at_key(ps, n, "unknown-key", NULL,
				       "unknown key \"" STR_FMT "\" in a %s",
				       STR_ARG(n->key), where);
	}
}

/* A name stands in reasons and in front of the text of a set. */
static bool name_ok(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.len && s.len <= NAME_LEN_MAX;
}

int policy_set_add(struct policy_set *s, struct str name, struct str text,
		   struct problems *ps)
{
	enum doc_syntax syntax = doc_syntax_of_name(name);
	size_t before = ps->n + ps->n_dropped;
	struct doc *d;

	if (s->n == POLICY_FILES_MAX) {
		problem_add(ps, (struct doc_place){0, 0}, "too-many", NULL,
			    "more than %d policy files", POLICY_FILES_MAX);
		return -1;
	}
	if (!name_ok(name)) {
		problem_add(ps, (struct doc_place){0, 0}, "bad-name",
			    "printable ASCII without spaces, at most 128",
			    "no name for a policy file");
		return -1;
	}
	if (doc_parse(text, syntax == DOC_SYNTAX_UNKNOWN ? DOC_YAML : syntax,
		      &d, ps))
		return -1;
	if (d->root->kind == DOC_MAP)
		check_map(d->root, "policy", ps);
	else
		problem_at(ps, d->root, "wrong-type", NULL,
			   "a policy is a map");
	if (ps->n + ps->n_dropped != before) {
		doc_free(d);
		return -1;
	}
	s->files[s->n++] = (struct policy_file){
		.name = mem_strndup(name.p, name.len),
		.text = mem_strndup(text.p, text.len),
		.len = text.len,
		.doc = d,
	};
	return 0;
}

/* --- as one text -------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct policy_file *)a)->name,
		      ((const struct policy_file *)b)->name);
}

bool policy_set_encode(const struct policy_set *s, struct buf *b)
{
	struct policy_file sorted[POLICY_FILES_MAX];

	memcpy(sorted, s->files, sizeof(sorted));
	qsort(sorted, s->n, sizeof(sorted[0]), by_name);
	for (size_t i = 0; i < s->n; i++) {
		buf_printf(b, "%s %zu\n", sorted[i].name, sorted[i].len);
		buf_put(b, sorted[i].text, sorted[i].len);
		buf_putc(b, '\n');
	}
	return !b->failed;
}

struct hash policy_set_digest(const struct policy_set *s)
{
	CLEANUP_BUF struct buf b =
		BUF_INIT(POLICY_FILES_MAX * (DOC_TEXT_MAX + 256));

	if (!policy_set_encode(s, &b))
		abort(); /* the bound has room for all there can be */
	return hash_sha256(b.data, b.len);
}

static int decode_one(struct policy_set *s, struct str *rest, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf text = BUF_INIT(4096);
	struct str line = str_cut(rest, '\n'), len = line;
	struct str name = str_cut(&len, ' ');
	uint64_t n;

	if (!name_ok(name) || str_to_u64(len, rest->len, &n) ||
	    rest->len < n + 1 || rest->p[n] != '\n')
		return err_set(e, ERR_INVALID, "policies: malformed");
	if (policy_set_add(s, name, str_n(rest->p, n), ps)) {
		struct str first;

		problems_print(ps, "", &text);
		first = buf_view(&text);
		first = str_cut(&first, '\n');
		return err_set(e, ERR_INVALID, STR_FMT STR_FMT, STR_ARG(name),
			       STR_ARG(first));
	}
	*rest = str_from_at(*rest, n + 1);
	return 0;
}

int policy_set_decode(struct str text, struct policy_set **ret, struct err *e)
{
	struct policy_set *s;

	if (policy_set_new(&s, e))
		return -1;
	while (text.len)
		if (decode_one(s, &text, e)) {
			policy_set_free(s);
			return -1;
		}
	*ret = s;
	return 0;
}
