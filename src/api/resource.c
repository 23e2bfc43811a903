/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What small things with a name may say; see resource.h. */
#include "api/resource.h"
#include "access/access.h"
#include "base/hex.h"
#include "engine/retention.h"
#include "job/keys.h"

#include <string.h>

enum form {
	FIELD_TEXT,
	FIELD_UID,
	FIELD_BOOL,
	FIELD_COUNT,
	FIELD_BYTES,
	FIELD_ROLE,
	FIELD_NAMES,    /* list of names, or oidc:PROVIDER:SUBJECT */
	FIELD_PROJECTS, /* the same, or "*" */
	FIELD_MEMBERS,  /* list of user/NAME, group/NAME, oidc:... */
	FIELD_CERTS,    /* list of names of certificates */
	FIELD_RETENTION,
};

static const struct field {
	const char *kind, *name;
	enum form form;
	bool required;
} fields[] = {
	{"project", "description",     FIELD_TEXT,      false},
	{"project", "paused",          FIELD_BOOL,      false},
	{"project", "max_running",     FIELD_COUNT,     false},
	{"project", "cache_max_bytes", FIELD_BYTES,     false},
	{"project", "retention",       FIELD_RETENTION, false},
	{"system",  "on",              FIELD_BOOL,      true },
	{"system",  "reason",          FIELD_TEXT,      false},
	{"user",    "full_name",       FIELD_TEXT,      false},
	{"user",    "email",           FIELD_TEXT,      false},
	{"user",    "uid",             FIELD_UID,       false},
	{"user",    "disabled",        FIELD_BOOL,      false},
	{"user",    "certificates",    FIELD_CERTS,     false},
	{"group",   "description",     FIELD_TEXT,      false},
	{"group",   "members",         FIELD_NAMES,     true },
	{"role",    "role",            FIELD_ROLE,      true },
	{"role",    "projects",        FIELD_PROJECTS,  true },
	{"role",    "members",         FIELD_MEMBERS,   true },
};

/* What answers add. */
static const char *const added[] = {"name", "created_at", "changed_at",
				    "changed_by"};

static const char *const wants[] = {
	[FIELD_TEXT] = "a text of at most 500 bytes",
	[FIELD_UID] = "a uid from 0 to 4294967294",
	[FIELD_BOOL] = "true or false",
	[FIELD_COUNT] = "a number from 1 to 100000",
	[FIELD_BYTES] = "bytes, from 0 to 2^50",
	[FIELD_ROLE] = "viewer, operator, developer or admin",
	[FIELD_NAMES] =
		"a list of at most 1000 names, or oidc:PROVIDER:SUBJECT",
	[FIELD_PROJECTS] = "a list of projects, or [\"*\"] for all",
	[FIELD_MEMBERS] = "a list of user/NAME, group/NAME, "
			  "oidc:PROVIDER:SUBJECT and "
			  "group/oidc:PROVIDER:GROUP",
	[FIELD_CERTS] = "a list of sha256:HEX, uri:URI, email:ADDRESS, "
			"dns:NAME and cn:NAME",
	[FIELD_RETENTION] =
		"keep_days, keep_failed_days, keep_runs, "
		"keep_log_days, artifact_days (numbers; 0: no end) and "
		"keep_last_success (true or false)",
};

bool resource_is_foreign(struct str s)
{
	struct str rest = s, scheme = str_cut(&rest, ':');
	struct str name = str_cut(&rest, ':');

	if (!str_is(scheme, "oidc") || !job_name_ok(name) || !rest.len ||
	    rest.len > 255)
		return false;
	for (size_t i = 0; i < rest.len; i++)
		if ((unsigned char)rest.p[i] < 0x20 || rest.p[i] == 0x7f)
			return false;
	return true;
}

static bool has_upper(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'Z')
			return true;
	return false;
}

/* One certificate, or whichever has that name and is signed by our CA. */
static bool is_cert(struct str s)
{
	static const char *const kinds[] = {"uri:", "email:", "dns:", "cn:"};
	unsigned char digest[32];

	if (str_starts(s, STR("sha256:")))
		return !hex_decode(str_from_at(s, 7), digest, sizeof(digest)) &&
		       !has_upper(s);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct str kind = str_from(kinds[i]);

		if (str_starts(s, kind))
			return s.len > kind.len && s.len < 260;
	}
	return false;
}

static bool is_item(enum form form, struct str s)
{
	if (form == FIELD_PROJECTS)
		return str_is(s, "*") || job_name_ok(s);
	if (form == FIELD_CERTS)
		return is_cert(s);
	if (resource_is_foreign(s))
		return true;
	if (form != FIELD_MEMBERS)
		return job_name_ok(s);
	if (str_starts(s, STR("user/")))
		return job_name_ok(str_from_at(s, 5));
	if (!str_starts(s, STR("group/")))
		return false;
	s = str_from_at(s, 6);
	return job_name_ok(s) || resource_is_foreign(s);
}

static bool is_list(enum form form, const struct doc_node *list)
{
	if (list->kind != DOC_LIST || list->n > RESOURCE_LIST_MAX)
		return false;
	for (const struct doc_node *n = list->first; n; n = n->next) {
		struct str s;

		if (doc_as_string(n, &s) || !is_item(form, s))
			return false;
	}
	return true;
}

static bool is_retention(const struct doc_node *map)
{
	static const struct {
		const char *name;
		int64_t max; /* -1: true or false */
	} keys[] = {
		{"keep_days",         RETENTION_DAYS_MAX},
		{"keep_failed_days",  RETENTION_DAYS_MAX},
		{"artifact_days",     RETENTION_DAYS_MAX},
		{"keep_log_days",     RETENTION_DAYS_MAX},
		{"keep_runs",         RETENTION_RUNS_MAX},
		{"keep_last_success", -1                }
        };

	if (map->kind != DOC_MAP)
		return false;
	for (const struct doc_node *n = map->first; n; n = n->next) {
		size_t i = 0;
		int64_t v;
		bool b;

		while (i < ARRAY_LEN(keys) && !str_is(n->key, keys[i].name))
			i++;
		if (i == ARRAY_LEN(keys) ||
		    (keys[i].max < 0 ?
			     doc_as_bool(n, &b) :
			     doc_as_i64(n, &v) || v < 0 || v > keys[i].max))
			return false;
	}
	return true;
}

static bool fits(enum form form, const struct doc_node *n)
{
	struct str s;
	enum access_level role;
	int64_t v;
	bool b;

	switch (form) {
	case FIELD_TEXT:
		return !doc_as_string(n, &s) && s.len <= 500;
	case FIELD_UID:
		return !doc_as_i64(n, &v) && v >= 0 && v < UINT32_MAX;
	case FIELD_BOOL:
		return !doc_as_bool(n, &b);
	case FIELD_COUNT:
		return !doc_as_i64(n, &v) && v >= 1 && v <= 100000;
	case FIELD_BYTES:
		return !doc_as_i64(n, &v) && v >= 0 && v <= (int64_t)1 << 50;
	case FIELD_ROLE:
		return !doc_as_string(n, &s) && !access_role_parse(s, &role);
	case FIELD_NAMES:
	case FIELD_PROJECTS:
	case FIELD_MEMBERS:
	case FIELD_CERTS:
		return is_list(form, n);
	case FIELD_RETENTION:
		return is_retention(n);
	}
	return false;
}

static const struct field *find(const char *kind, struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (!strcmp(fields[i].kind, kind) &&
		    str_is(name, fields[i].name))
			return &fields[i];
	return NULL;
}

static bool is_added(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(added); i++)
		if (str_is(name, added[i]))
			return true;
	return false;
}

bool resource_check(const char *kind, const struct doc_node *root,
		    struct problems *ps)
{
	size_t before = ps->n;

	if (root->kind != DOC_MAP) {
		problem_at(ps, root, "type", NULL, "a JSON object is wanted");
		return false;
	}
	for (const struct doc_node *n = root->first; n; n = n->next) {
		const struct field *f = find(kind, n->key);

		if (!f && !is_added(n->key))
			problem_at_key(ps, n, "unknown-key", NULL,
				       "unknown key \"" STR_FMT "\" in a %s",
				       STR_ARG(n->key), kind);
		else if (f && !fits(f->form, n))
			problem_at(ps, n, "type", NULL, "\"%s\": %s", f->name,
				   wants[f->form]);
	}
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (!strcmp(fields[i].kind, kind) && fields[i].required &&
		    !doc_get(root, fields[i].name))
			problem_at(ps, root, "missing-key",
				   wants[fields[i].form], "\"%s\" is missing",
				   fields[i].name);
	return ps->n == before;
}

int resource_body(const char *kind, const struct doc_node *root, struct buf *b,
		  struct err *e)
{
	const char *sep = "{";

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct doc_node *n = doc_get(root, fields[i].name);

		if (strcmp(fields[i].kind, kind) != 0 || !n)
			continue;
		buf_printf(b, "%s\"%s\":", sep, fields[i].name);
		sep = ",";
		if (doc_write_canonical(n, b, e))
			return -1;
	}
	buf_puts(b, *sep == '{' ? "{}" : "}");
	return b->failed ? err_set(e, ERR_LIMIT, "it is too long") : 0;
}
