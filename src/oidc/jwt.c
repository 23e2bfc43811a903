/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Tokens; see jwt.h. */
#include "oidc/jwt.h"
#include "base/hex.h"
#include "base/mem.h"

#include <string.h>
#include <strings.h>

enum {
	SIGNATURE_MAX = JWK_RSA_BITS_MAX / 8,
	NODES_DEEP = 8
};

bool jwt_looks_like(struct str token)
{
	unsigned dots = 0;

	for (size_t i = 0; i < token.len; i++)
		dots += token.p[i] == '.';
	return dots == 2 && str_starts(token, STR("ey"));
}

/* --- taking apart ------------------------------------------------------- */

static int denied(struct err *e, const char *why)
{
	return err_set(e, ERR_DENIED, "%s", why);
}

static bool is_flat(const struct doc_node *n, unsigned deep)
{
	if (deep > NODES_DEEP)
		return false;
	for (n = n->first; n; n = n->next)
		if (!is_flat(n, deep + 1))
			return false;
	return true;
}

/* One part: base64url of a JSON object. */
static int read_part(struct str part, size_t max, struct doc **ret,
		     struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf b = BUF_INIT(max);
	struct doc *d;

	if (!part.len || b64url_decode(part, &b))
		return denied(e, "is malformed");
	if (doc_parse(buf_view(&b), DOC_JSON, &d, ps))
		return denied(e, "is malformed");
	if (d->root->kind != DOC_MAP || !is_flat(d->root, 0)) {
		doc_free(d);
		return denied(e, "is malformed");
	}
	*ret = d;
	return 0;
}

/* A login's token, not a logout's, not a proof of anything else. */
static bool is_type(struct str typ)
{
	static const char *const types[] = {"JWT", "at+jwt",
					    "application/at+jwt"};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (typ.len == strlen(types[i]) &&
		    !strncasecmp(typ.p, types[i], typ.len))
			return true;
	return false;
}

static int read_header(struct jwt *t, struct err *e)
{
	const struct doc_node *root = t->header->root;
	const struct doc_node *kid = doc_get(root, "kid");
	const struct doc_node *typ = doc_get(root, "typ");
	struct str s;

	if (doc_as_string(doc_get(root, "alg"), &s) ||
	    jwt_alg_parse(s, &t->alg))
		return denied(e, "is signed in a way that is not taken here");
	if (doc_get(root, "crit") || doc_get(root, "b64"))
		return denied(e, "wants what is not known here");
	if (typ && (doc_as_string(typ, &s) || !is_type(s)))
		return denied(e, "is not one to log in with");
	if (kid && (doc_as_string(kid, &t->kid) || !t->kid.len ||
		    t->kid.len > JWK_KID_MAX))
		return denied(e, "is malformed");
	return 0;
}

/* NumericDate (RFC 7519, 2): seconds, a fraction is cut off. */
static int read_time(const struct doc_node *root, const char *key, bool wanted,
		     int64_t *ret)
{
	const struct doc_node *n = doc_get(root, key);
	struct str s;

	*ret = 0;
	if (!n)
		return wanted ? -1 : 0;
	if (n->kind != DOC_INT && n->kind != DOC_FLOAT)
		return -1;
	s = n->text;
	if (str_has(s, 'e') || str_has(s, 'E'))
		return -1;
	return str_to_i64(str_cut(&s, '.'), 1, (int64_t)1 << 40, ret);
}

static bool is_printable(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

static int read_claims(struct jwt *t, struct err *e)
{
	const struct doc_node *root = t->payload->root;

	t->claims = root;
	if (doc_as_string(doc_get(root, "iss"), &t->issuer) || !t->issuer.len)
		return denied(e, "has no issuer");
	if (doc_as_string(doc_get(root, "sub"), &t->subject) ||
	    !t->subject.len || t->subject.len > JWT_SUBJECT_MAX ||
	    !is_printable(t->subject))
		return denied(e, "has no subject");
	if (read_time(root, "exp", true, &t->expires_s) ||
	    read_time(root, "nbf", false, &t->not_before_s) ||
	    read_time(root, "iat", false, &t->issued_s))
		return denied(e, "does not say when it ends");
	return 0;
}

static int take_apart(struct str token, struct jwt *t, struct err *e)
{
	struct str rest = token, head, body;

	head = str_cut(&rest, '.');
	body = str_cut(&rest, '.');
	if (!rest.p || !rest.len || str_has(rest, '.') ||
	    token.len > JWT_TEXT_MAX)
		return denied(e, "is malformed");
	t->signed_text = str_n(token.p, head.len + 1 + body.len);
	t->signature = BUF_INIT(SIGNATURE_MAX);
	if (b64url_decode(rest, &t->signature) ||
	    read_part(head, JWT_HEADER_MAX, &t->header, e) ||
	    read_part(body, JWT_TEXT_MAX, &t->payload, e))
		return denied(e, "is malformed");
	return read_header(t, e) || read_claims(t, e) ? -1 : 0;
}

int jwt_read(struct str token, struct jwt *ret, struct err *e)
{
	struct jwt t = {
		.kid = {NULL, 0}
        };

	if (take_apart(token, &t, e)) {
		jwt_done(&t);
		return -1;
	}
	*ret = t;
	return 0;
}

void jwt_done(struct jwt *t)
{
	doc_free(t->header);
	doc_free(t->payload);
	buf_done(&t->signature);
	*t = (struct jwt){
		.kid = {NULL, 0}
        };
}

/* --- checking ----------------------------------------------------------- */

static bool is_wanted(const struct jwt_rules *rules, const struct doc_node *n)
{
	for (size_t i = 0; n->kind == DOC_STRING && i < rules->n_audiences; i++)
		if (str_eq(rules->audiences[i], n->text))
			return true;
	return false;
}

/* "aud": one text, or a list of which one is enough (RFC 7519, 4.1.3). */
static bool is_for_us(const struct jwt *t, const struct jwt_rules *rules)
{
	const struct doc_node *aud = doc_get(t->claims, "aud");

	if (!aud)
		return false;
	if (aud->kind != DOC_LIST)
		return is_wanted(rules, aud);
	for (const struct doc_node *n = aud->first; n; n = n->next)
		if (is_wanted(rules, n))
			return true;
	return false;
}

static int check_times(const struct jwt *t, unsigned skew_s, int64_t now_s,
		       struct err *e)
{
	int64_t skew = skew_s > JWT_SKEW_MAX_S ? JWT_SKEW_MAX_S : skew_s;

	if (now_s >= t->expires_s + skew)
		return denied(e, "has run out");
	if (t->not_before_s > now_s + skew || t->issued_s > now_s + skew)
		return denied(e, "is of the future");
	return 0;
}

int jwt_check(const struct jwt *t, const struct jwt_rules *rules,
	      const struct jwks *keys, int64_t now_s, struct err *e)
{
	if (!str_eq(t->issuer, rules->issuer))
		return denied(e, "is of another issuer");
	if (!(rules->algs & 1U << t->alg))
		return denied(e, "is signed in a way that is not taken here");
	/* first what costs little: a stranger's costs no more */
	if (check_times(t, rules->skew_s, now_s, e))
		return -1;
	if (!is_for_us(t, rules))
		return denied(e, "is meant for somebody else");
	return jwks_check(keys, t->kid, t->alg, t->signed_text,
			  buf_view(&t->signature), e);
}
