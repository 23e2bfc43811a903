/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One secret as a job declares it: what each key goes with.  What depends on
 * values (a path that was put together) is secret_ref.c's. */
#include "job/check.h"
#include "job/keys.h"
#include "job/secret_ref.h"

#include <string.h>

enum kind {
	KIND_STORE,
	KIND_EXEC,
	KIND_KV,
	KIND_READ,
	KIND_SSH_CERT,
	KIND_PKI,
	N_KINDS_OF_SECRET,
};

#define BIT(k)  (1U << (k))
#define VAULT   (BIT(KIND_KV) | LEASED | BIT(KIND_SSH_CERT))
#define LEASED  (BIT(KIND_READ) | BIT(KIND_PKI))
#define MADE_BY (LEASED | BIT(KIND_SSH_CERT))

/* Which keys go with what. */
static const struct {
	const char *key;
	unsigned kinds;
	const char *with, *hint;
} rows[] = {
	{"provider", VAULT,                          "vault",                         NULL						 },
	{"kind",     VAULT,			  "vault",                         NULL						 },
	{"field",    VAULT | BIT(KIND_EXEC),         "vault and exec",
	 "a secret of the store is one value"											      },
	{"params",   MADE_BY | BIT(KIND_EXEC),
	 "exec, and vault of a kind other than kv",				   "kv has no parameters; `kind: read` sends them along"},
	{"version",  BIT(KIND_STORE) | BIT(KIND_KV),
	 "store, and vault of kind kv",					       "what is made anew has no versions"                  },
	{"ttl",      MADE_BY,                        "vault of a kind other than kv",
	 "what is stored is not made for so long"											  },
	{"refresh",  VAULT,                          "vault",                         "nothing renews the others"                          },
};

/* What a kind makes; a field is one of them. */
static const struct {
	enum kind kind;
	const char *name;
} made[] = {
	{KIND_SSH_CERT, "key"      },
        {KIND_SSH_CERT, "cert.pub" },
	{KIND_PKI,      "key.pem"  },
        {KIND_PKI,      "cert.pem" },
	{KIND_PKI,      "chain.pem"},
};

/* Parameters that are made here and sent: nobody else may choose them. */
static const struct {
	enum kind kind;
	const char *name;
} ours[] = {
	{KIND_SSH_CERT, "public_key"        },
	{KIND_PKI,      "csr"               },
	{KIND_PKI,      "format"            },
	{KIND_PKI,      "private_key_format"},
};

static const char key_made_here[] =
	"the key is made here for the attempt; only what is to be signed "
	"travels";

static enum kind kind_of(const struct doc_node *s)
{
	struct str kind = job_text(doc_get(s, "kind"), "kv");

	if (!doc_get(s, "vault"))
		return doc_get(s, "exec") ? KIND_EXEC : KIND_STORE;
	return str_is(kind, "read")     ? KIND_READ :
	       str_is(kind, "ssh-cert") ? KIND_SSH_CERT :
	       str_is(kind, "pki")      ? KIND_PKI :
					  KIND_KV;
}

static void check_keys(const struct doc_node *s, enum kind kind,
		       struct problems *ps)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct doc_node *n = doc_get(s, rows[i].key);

		if (n && !(rows[i].kinds & BIT(kind)))
			problem_at_key(ps, n, "bad-secret", rows[i].hint,
				       "%s: only with %s", rows[i].key,
				       rows[i].with);
	}
}

static bool control(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return true;
	return !str_utf8_valid(s);
}

static void check_field(const struct doc_node *s, enum kind kind,
			struct problems *ps)
{
	const struct doc_node *field = doc_get(s, "field");
	CLEANUP_BUF struct buf b = BUF_INIT(100);
	bool ok = false, any = true;

	if (!field)
		return;
	if (!field->text.len || field->text.len > SECRET_FIELD_MAX ||
	    control(field->text)) {
		problem_at(ps, field, "bad-secret", NULL,
			   "field: a name of 1 to %d bytes is wanted",
			   SECRET_FIELD_MAX);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(made); i++) {
		if (made[i].kind != kind)
			continue;
		any = false;
		ok |= str_is(field->text, made[i].name);
		buf_printf(&b, "%s%s", b.len ? ", " : "", made[i].name);
	}
	if (!any && !ok)
		problem_at(ps, field, "bad-secret", NULL,
			   "field: \"" STR_FMT "\" is not one of %s",
			   STR_ARG(field->text), buf_cstr(&b));
}

static bool param_name_ok(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || c == '_' || c == '-'))
			return false;
	}
	return s.len && s.len <= JOB_NAME_MAX;
}

static void check_param(const struct doc_node *s, const struct doc_node *n,
			enum kind kind, struct problems *ps)
{
	if (!param_name_ok(n->key))
		problem_at_key(ps, n, "bad-secret",
			       "letters, digits, _ and -, at most 63",
			       "params: \"" STR_FMT "\" is no name",
			       STR_ARG(n->key));
	if (str_is(n->key, "ttl") && doc_get(s, "ttl"))
		problem_at_key(ps, n, "bad-secret", NULL,
			       "params.ttl and ttl are the same parameter");
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (ours[i].kind == kind && str_is(n->key, ours[i].name))
			problem_at_key(ps, n, "bad-secret", key_made_here,
				       "params.%s is not the job's to say",
				       ours[i].name);
}

static void check_params(const struct doc_node *s, enum kind kind,
			 struct problems *ps)
{
	const struct doc_node *params = doc_get(s, "params");
	uint32_t n = (params ? params->n : 0) + (doc_get(s, "ttl") != NULL);

	if (n > SECRET_PARAMS_MAX) {
		problem_at_key(ps, params, "too-many", NULL,
			       "params: more than %d (ttl counts)",
			       SECRET_PARAMS_MAX);
		return;
	}
	for (const struct doc_node *k = params ? params->first : NULL; k;
	     k = k->next)
		check_param(s, k, kind, ps);
	if (kind == KIND_PKI && !doc_get(params, "common_name"))
		problem_at_key(ps, s, "bad-secret",
			       "params: { common_name: host.example }",
			       "secret \"" STR_FMT
			       "\": a certificate needs a common_name",
			       STR_ARG(s->key));
}

static void check_times(const struct doc_node *s, enum kind kind,
			struct problems *ps)
{
	const struct doc_node *ttl = doc_get(s, "ttl");
	const struct doc_node *end = doc_get(s, "on_end");
	uint64_t us;

	if (ttl && !job_duration(ttl->text, &us) &&
	    (us < 1000000 || us > SECRET_TTL_MAX_US))
		problem_at(ps, ttl, "out-of-range", NULL,
			   "ttl: not between 1s and 365d");
	if (end && str_is(end->text, "keep") && !(LEASED & BIT(kind)))
		problem_at(ps, end, "bad-secret",
			   kind == KIND_SSH_CERT ?
				   "it cannot be revoked; `ttl` ends it" :
				   "only kinds read and pki may have a lease",
			   "on_end: keep: there is no lease to keep");
}

static void check_refresh(const struct doc_node *s, struct problems *ps)
{
	const struct doc_node *refresh = doc_get(s, "refresh");

	if (!refresh || !str_is(refresh->text, "true"))
		return;
	if (!str_is(job_text(doc_get(s, "deliver"), "file"), "file"))
		problem_at_key(ps, refresh, "bad-secret",
			       "only a file can be written again",
			       "refresh: only with `deliver: file`");
	if (doc_get(s, "version"))
		problem_at_key(ps, refresh, "bad-secret", NULL,
			       "refresh: a version never changes");
}

/* One value is wanted where there is no room for a directory. */
static void check_one_value(const struct doc_node *s, enum kind kind,
			    struct problems *ps)
{
	const struct doc_node *deliver = doc_get(s, "deliver");

	if (deliver && !str_is(deliver->text, "file") && VAULT & BIT(kind) &&
	    !doc_get(s, "field"))
		problem_at(ps, deliver, "bad-secret",
			   "name one with `field`; all of them are a directory "
			   "of files",
			   "deliver: " STR_FMT
			   ": a secret of Vault has several fields",
			   STR_ARG(deliver->text));
}

static void check_store(const struct doc_node *store, struct problems *ps)
{
	struct str name = store->text, project;

	if (str_has(name, '/')) {
		project = str_cut(&name, '/');
		if (!job_name_ok(project))
			name = str_n(NULL, 0);
	}
	if (!job_name_ok(name))
		problem_at(ps, store, "bad-secret", NULL,
			   "store: NAME or PROJECT/NAME is wanted");
}

/* What stands there without ${{ }}; the whole is looked at once it is filled.
 */
static void check_path(const struct doc_node *vault, struct problems *ps)
{
	if (!str_has(vault->text, '$') && !job_secret_path_ok(vault->text))
		problem_at(ps, vault, "bad-secret",
			   "MOUNT/PATH as `vault kv get` has it, such as "
			   "secret/release; no / at either end",
			   "vault: \"" STR_FMT "\" is no path",
			   STR_ARG(vault->text));
}

/* The next segment, whether it is the last, and has ${{ }} in it: what that
 * holds may have slashes too. */
static struct str segment(struct str *rest, bool *last, bool *filled)
{
	struct str s = *rest;
	size_t i = 0;

	*filled = false;
	while (i < s.len && s.p[i] != '/') {
		struct str here = str_from_at(s, i);
		const char *end = str_starts(here, STR("${{")) ?
					  memmem(here.p, here.len, "}}", 2) :
					  NULL;

		*filled |= end != NULL;
		i = end ? (size_t)(end - s.p) + 2 : i + 1;
	}
	*last = i == s.len;
	*rest = *last ? str_n(NULL, 0) : str_from_at(s, i + 1);
	return str_n(s.p, i);
}

/* MOUNT/sign/ROLE, or may it be once it is filled?  MOUNT and what is between
 * may be longer; `sign-verbatim` does without a role. */
static bool signs(struct str path)
{
	bool last = false, filled;

	for (size_t i = 0; !last; i++) {
		struct str s = segment(&path, &last, &filled);

		if (str_is(s, "sign-verbatim") && i)
			return true;
		if (filled && (!last || i < 2))
			return true;
		if (str_is(s, "sign") && i && !last)
			return true;
	}
	return false;
}

static void check_signs(const struct doc_node *vault, enum kind kind,
			struct problems *ps)
{
	const char *name = kind == KIND_PKI ? "pki" : "ssh-cert";

	if (!(BIT(kind) & (BIT(KIND_PKI) | BIT(KIND_SSH_CERT))) ||
	    signs(vault->text))
		return;
	problem_at(
		ps, vault, "bad-secret",
		"the key is made here for the attempt and only signed there: "
		"MOUNT/sign/ROLE",
		"vault: \"" STR_FMT "\" does not go with kind %s",
		STR_ARG(vault->text), name);
}

void check_declared(const struct doc_node *s, struct problems *ps)
{
	static const char *const from[] = {"store", "vault", "exec"};
	const struct doc_node *exec = doc_get(s, "exec");
	enum kind kind = kind_of(s);
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(from); i++)
		n += doc_get(s, from[i]) != NULL;
	check_keys(s, kind, ps);
	if (n != 1) {
		problem_at_key(ps, s, "bad-secret", NULL,
			       "secret \"" STR_FMT "\": exactly one of store, "
			       "vault, exec is wanted",
			       STR_ARG(s->key));
		return;
	}
	check_field(s, kind, ps);
	check_params(s, kind, ps);
	check_times(s, kind, ps);
	check_refresh(s, ps);
	check_one_value(s, kind, ps);
	if (doc_get(s, "store"))
		check_store(doc_get(s, "store"), ps);
	if (doc_get(s, "vault")) {
		check_path(doc_get(s, "vault"), ps);
		check_signs(doc_get(s, "vault"), kind, ps);
	}
	if (exec && !job_name_ok(exec->text))
		problem_at(ps, exec, "bad-secret", NULL,
			   "exec: the name of a helper is wanted");
}
