/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* See dynamic.h. */
#include "vault/dynamic.h"

#include "base/clock.h"
#include "base/mem.h"
#include "secrets/csr.h"
#include "secrets/fields.h"
#include "secrets/ssh_key.h"
#include "vault/call.h"
#include "vault/kv.h"

#include <stdio.h>
#include <string.h>

#define WRAP_TTL "wrap_ttl"

enum {
	WRAP_MAX_S = 3600,
	CHAIN_MAX = 16, /* certificates */
	LASTS_MAX_S = 10 * 366 * 86400,
};

static const char *param(const struct secret_ref *ref, const char *name)
{
	for (size_t i = 0; i < ref->n_params; i++)
		if (!strcmp(ref->params[i].name, name))
			return ref->params[i].value;
	return "";
}

/* --- bodies --------------------------------------------------------------- */

static void member(struct buf *b, const char *name, struct str value)
{
	buf_puts(b, b->len ? ",\"" : "{\"");
	buf_json(b, str_from(name));
	buf_puts(b, "\":\"");
	buf_json(b, value);
	buf_putc(b, '"');
}

/* The job's parameters, but for those that are not its to say. */
static int members(const struct secret_ref *ref, const char *const *ours,
		   struct buf *b, struct err *e)
{
	for (size_t i = 0; i < ref->n_params; i++) {
		const struct secret_ref_param *p = &ref->params[i];

		for (size_t k = 0; ours[k]; k++)
			if (!strcmp(ours[k], p->name))
				return err_set(e, ERR_INVALID,
					       "params: %s is not for a job to "
					       "say",
					       p->name);
		if (strcmp(p->name, WRAP_TTL) || ref->read != SECRET_READ_PLAIN)
			member(b, p->name, str_from(p->value));
	}
	return 0;
}

static int wrap_ttl(const struct secret_ref *ref, unsigned *ret, struct err *e)
{
	struct str s = str_from(param(ref, WRAP_TTL));
	uint64_t us;

	*ret = 0;
	if (!s.len)
		return 0;
	if (str_to_duration(s, &us) || us < 1000000 ||
	    us > WRAP_MAX_S * UINT64_C(1000000))
		return err_set(e, ERR_INVALID,
			       "params: " WRAP_TTL " is 1s to 1h");
	*ret = (unsigned)(us / 1000000);
	return 0;
}

static int make_read(const struct secret_ref *ref, const struct grant *who,
		     struct dynamic *d, struct err *e)
{
	static const char *const ours[] = {NULL};

	(void)who;
	if (wrap_ttl(ref, &d->wrap_ttl_s, e) || members(ref, ours, &d->body, e))
		return -1;
	d->method = d->body.len ? "POST" : "GET";
	if (d->body.len)
		buf_putc(&d->body, '}');
	return 0;
}

/* MOUNT/sign/ROLE: with `issue` the key would be made there, and travel. */
static int signs(const struct secret_ref *ref, struct err *e)
{
	struct str path = str_from(ref->path), part;
	bool sign = false;

	for (size_t i = 0; path.len; i++) {
		part = str_cut(&path, '/');
		if (i &&
		    (str_is(part, "sign") || str_is(part, "sign-verbatim")))
			sign = true;
	}
	if (sign)
		return 0;
	return err_set(
		e, ERR_INVALID,
		"%s: the key is made here, so the path is MOUNT/sign/ROLE",
		ref->path);
}

static int make_ssh(const struct secret_ref *ref, const struct grant *who,
		    struct dynamic *d, struct err *e)
{
	static const char *const ours[] = {"public_key", NULL};
	CLEANUP_BUF struct buf line = BUF_INIT(SSH_KEY_PUBLIC_MAX);
	char comment[64];

	if (signs(ref, e))
		return -1;
	(void)snprintf(comment, sizeof(comment), "nfo-%s", who->attempt.s);
	if (members(ref, ours, &d->body, e) ||
	    ssh_key_new(str_from(comment), &d->key, &line, e))
		return -1;
	member(&d->body, "public_key", buf_view(&line));
	if (!param(ref, "cert_type")[0])
		member(&d->body, "cert_type", STR("user"));
	d->method = "POST";
	buf_putc(&d->body, '}');
	return 0;
}

static int make_pki(const struct secret_ref *ref, const struct grant *who,
		    struct dynamic *d, struct err *e)
{
	static const char *const ours[] = {"csr", "format", NULL};
	struct csr_subject s = {str_from(param(ref, "common_name")),
				str_from(param(ref, "alt_names")),
				str_from(param(ref, "ip_sans")),
				str_from(param(ref, "uri_sans"))};
	CLEANUP_BUF struct buf csr = BUF_INIT(CSR_TEXT_MAX);

	(void)who;
	if (signs(ref, e) || members(ref, ours, &d->body, e) ||
	    csr_new(&s, &d->key, &csr, e))
		return -1;
	member(&d->body, "csr", buf_view(&csr));
	member(&d->body, "format", STR("pem"));
	d->method = "POST";
	buf_putc(&d->body, '}');
	return 0;
}

/* --- answers -------------------------------------------------------------- */

static struct field field(const char *name, struct str value)
{
	return (struct field){
		str_from(name), {(const unsigned char *)value.p, value.len}
        };
}

static int read_plain(const struct dynamic *d, const struct vault_answer *a,
		      struct secret **ret, struct err *e)
{
	(void)d;
	return kv_pack(a->data, ret, e);
}

/* One line; in a file of its own it ends as one. */
static int with_newline(struct str s, struct buf *b, struct err *e)
{
	s = str_trim(s);
	if (buf_str(b, s) && buf_putc(b, '\n'))
		return 0;
	return err_set(e, ERR_UNAVAILABLE, "a certificate is too long");
}

static int read_ssh(const struct dynamic *d, const struct vault_answer *a,
		    struct secret **ret, struct err *e)
{
	CLEANUP_BUF struct buf cert = BUF_INIT(16384);
	struct field f[2];
	struct str text;

	if (answer_text(a->data, "signed_key", &text, e) ||
	    with_newline(text, &cert, e))
		return -1;
	f[0] = field("key", STR(""));
	f[0].value = secret_bytes(d->key);
	f[1] = field("cert.pub", buf_view(&cert));
	return fields_pack(f, ARRAY_LEN(f), ret, e);
}

/* ca_chain where there is one, else who issued it. */
static int chain(const json_t *data, struct buf *b, struct err *e)
{
	const json_t *all = json_object_get(data, "ca_chain");
	struct str one;

	if (!json_is_array(all) || !json_array_size(all))
		return answer_text(data, "issuing_ca", &one, e) ||
		       with_newline(one, b, e);
	if (json_array_size(all) > CHAIN_MAX)
		return err_set(e, ERR_UNAVAILABLE, "ca_chain is too long");
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *c = json_array_get(all, i);

		if (!json_is_string(c))
			return err_set(e, ERR_UNAVAILABLE,
				       "ca_chain holds no text");
		if (with_newline(
			    str_n(json_string_value(c), json_string_length(c)),
			    b, e))
			return -1;
	}
	return 0;
}

static int read_pki(const struct dynamic *d, const struct vault_answer *a,
		    struct secret **ret, struct err *e)
{
	CLEANUP_BUF struct buf cert = BUF_INIT(65536), more = BUF_INIT(1 << 19);
	struct field f[3];
	struct str text;

	if (answer_text(a->data, "certificate", &text, e) ||
	    with_newline(text, &cert, e) || chain(a->data, &more, e))
		return -1;
	f[0] = field("cert.pem", buf_view(&cert));
	f[1] = field("chain.pem", buf_view(&more));
	f[2] = field("key.pem", STR(""));
	f[2].value = secret_bytes(d->key);
	return fields_pack(f, ARRAY_LEN(f), ret, e);
}

/* --- one table ------------------------------------------------------------ */

static const struct {
	int (*make)(const struct secret_ref *, const struct grant *,
		    struct dynamic *, struct err *);
	int (*read)(const struct dynamic *, const struct vault_answer *,
		    struct secret **, struct err *);
} kinds[] = {
	[SECRET_READ_PLAIN] = {make_read, read_plain},
	[SECRET_READ_SSH_CERT] = {make_ssh,  read_ssh  },
	[SECRET_READ_PKI] = {make_pki,  read_pki  },
};

int dynamic_make(const struct secret_ref *ref, const struct grant *who,
		 struct dynamic *ret, struct err *e)
{
	buf_puts(&ret->path, "v1/");
	if (!kinds[ref->read].make(ref, who, ret, e) &&
	    call_path(&ret->path, str_from(ref->path)) && !ret->body.failed)
		return 0;
	if (ret->path.failed || ret->body.failed)
		err_set(e, ERR_LIMIT, "the request is too long");
	dynamic_done(ret);
	return -1;
}

int dynamic_fields(const struct secret_ref *ref, const struct dynamic *d,
		   const struct vault_answer *a, struct secret **ret,
		   struct err *e)
{
	if (!a->data)
		return err_set(e, ERR_NOT_FOUND, "%s: the answer has no data",
			       ref->path);
	if (kv_not_inside(a->data, ref->path, e))
		return -1;
	return kinds[ref->read].read(d, a, ret, e);
}

static int64_t bounded(int64_t s)
{
	return s < 0 ? 0 : s > LASTS_MAX_S ? LASTS_MAX_S : s;
}

/* Until a time that is told, for a time that is told or was asked for. */
int64_t dynamic_lasts_s(const struct secret_ref *ref,
			const struct vault_answer *a)
{
	const json_t *ends = json_object_get(a->data, "expiration");
	const json_t *ttl = json_object_get(a->data, "ttl");
	uint64_t us;

	if (json_is_integer(ends))
		return json_integer_value(ends) < 0 ?
			       0 :
			       bounded(json_integer_value(ends) -
				       clock_real_us() / 1000000);
	if (json_is_integer(ttl))
		return bounded(json_integer_value(ttl));
	if (a->lease_duration_s > 0)
		return bounded(a->lease_duration_s);
	return str_to_duration(str_from(param(ref, "ttl")), &us) ?
		       0 :
		       bounded((int64_t)(us / 1000000));
}

void dynamic_done(struct dynamic *d)
{
	buf_done(&d->path);
	buf_wipe(&d->body);
	secret_free(d->key);
	d->key = NULL;
}

bool dynamic_wraps(const struct dynamic *d, struct str creation_path)
{
	struct str asked = buf_view(&d->path);

	if (str_starts(asked, STR("v1/")))
		asked = str_from_at(asked, 3);
	return str_eq(asked, creation_path);
}
