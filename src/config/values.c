/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Texts as values; see values.h. */
#include "config/values.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- what texts have to be ---------------------------------------------- */

const char *value_path(struct str s)
{
	return s.len && s.p[0] == '/' ? NULL :
					"a path that begins with / is "
					"wanted";
}

const char *value_name(struct str s)
{
	static const char want[] = "[a-z][a-z0-9_-]*, at most 63 characters";

	if (!s.len || s.len > 63 || s.p[0] < 'a' || s.p[0] > 'z')
		return want;
	for (size_t i = 1; i < s.len; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '_' && c != '-')
			return want;
	}
	return NULL;
}

/* Of http only what never leaves the machine. */
static bool is_loopback(struct str rest)
{
	static const struct str hosts[] = {
		{"127.0.0.1", 9},
                {"localhost", 9},
                {"[::1]",     5}
        };

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct str after = str_from_at(rest, hosts[i].len);

		if (str_starts(rest, hosts[i]) &&
		    (!after.len || after.p[0] == ':' || after.p[0] == '/'))
			return true;
	}
	return false;
}

const char *value_url(struct str s)
{
	static const char want[] =
		"https://HOST/... is wanted (http:// only to this machine)";
	bool plain = str_starts(s, STR("http://"));
	struct str rest = str_from_at(s, plain ? 7 : 8), host;

	if ((!plain && !str_starts(s, STR("https://"))) || s.len > 2000)
		return want;
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= 0x20 ||
		    (unsigned char)s.p[i] >= 0x7f ||
		    strchr("\"\\<>^`{|}#", s.p[i]))
			return want;
	if (plain && !is_loopback(rest))
		return want;
	host = str_cut(&rest, '/');
	return host.len && !str_has(host, '@') ? NULL : want;
}

/* OpenID Connect Discovery 1.0, section 3 */
const char *value_issuer(struct str s)
{
	return s.len > 255 || !str_starts(s, STR("https://")) ||
			       str_ends(s, STR("/")) || str_has(s, '?') ||
			       value_url(s) ?
		       "https://HOST or https://HOST/PATH is wanted, at most "
		       "255 bytes, without a slash at its end" :
		       NULL;
}

/* Its checksum is the keeper's to look at. */
const char *value_recipient(struct str s)
{
	bool ok = s.len == 62 && str_starts(s, STR("age1"));

	for (size_t i = 4; ok && i < s.len; i++)
		ok = (s.p[i] >= 'a' && s.p[i] <= 'z') ||
		     (s.p[i] >= '0' && s.p[i] <= '9');
	return ok ? NULL :
		    "a recipient of age is wanted: age1 and 58 letters and "
		    "digits";
}

const char *value_provider(struct str s)
{
	if (str_has(s, '?') || str_ends(s, STR("/")))
		return "https://HOST:PORT is wanted, without a query and "
		       "without a slash at its end";
	return value_url(s);
}

const char *value_mount(struct str s)
{
	static const char want[] =
		"a mount such as approle: no slashes at its ends";

	if (!s.len || s.len > 256)
		return want;
	for (struct str rest = s; rest.p;) {
		struct str part = str_cut(&rest, '/');

		if (!part.len || part.p[0] == '.')
			return want;
	}
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= 0x20 ||
		    (unsigned char)s.p[i] >= 0x7f || strchr("?#%\"", s.p[i]))
			return want;
	return NULL;
}

const char *value_jwt_alg(struct str s)
{
	return str_is(s, "ES256") || str_is(s, "RS256") || str_is(s, "EdDSA") ?
		       NULL :
		       "ES256, RS256 or EdDSA";
}

/* An address in numbers: 4, 6, or 0 when it is none. */
static int address(struct str s)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char raw[16];

	if (s.len >= sizeof(text))
		return 0;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET, text, raw) == 1)
		return 4;
	return inet_pton(AF_INET6, text, raw) == 1 ? 6 : 0;
}

const char *value_listen(struct str s)
{
	static const char want[] = "127.0.0.1:7070 or \"[::1]:7070\"";
	const char *colon = s.len ? memrchr(s.p, ':', s.len) : NULL;
	struct str host, port;
	uint64_t n;

	if (!colon)
		return want;
	host = str_n(s.p, (size_t)(colon - s.p));
	port = str_from_at(s, host.len + 1);
	if (str_to_u64(port, 65535, &n))
		return want;
	if (host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
		return address(str_n(host.p + 1, host.len - 2)) == 6 ? NULL :
								       want;
	return address(host) == 4 ? NULL : want;
}

const char *value_host(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') &&
		    !(s.p[i] >= '0' && s.p[i] <= '9') && s.p[i] != '-' &&
		    s.p[i] != '.')
			s.len = 0;
	return s.len && s.len <= 253 ?
		       NULL :
		       "a name in small letters, without a port";
}

const char *value_base_path(struct str s)
{
	static const char want[] = "a path such as /nfo: it begins with /, and "
				   "its parts are letters, digits, - . _ ~";
	char before = '/';

	if (!s.len)
		return NULL;
	if (s.p[0] != '/' || s.len > 128)
		return want;
	for (size_t i = 1; i < s.len; i++) {
		char c = s.p[i];
		bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || strchr("-._~", c);

		if ((!word && c != '/') ||
		    (before == '/' && (c == '/' || c == '.')))
			return want;
		before = c;
	}
	return NULL;
}

bool config_base_path_ok(struct str s)
{
	return !value_base_path(s);
}

const char *value_network(struct str s)
{
	struct str rest = s, host = str_cut(&rest, '/');
	int family = address(host);
	uint64_t bits;

	if (str_is(s, "unix"))
		return NULL;
	if (family &&
	    (!rest.p || !str_to_u64(rest, family == 4 ? 32 : 128, &bits)))
		return NULL;
	return "an address, a network such as 10.0.0.0/8, or unix";
}

/* --- storing ------------------------------------------------------------ */

struct str value_copy(struct config *c, struct str s)
{
	char *copy = arena_strndup(c->arena, s.p, s.len);

	return copy ? str_n(copy, s.len) : STR("");
}

static bool wrong(struct value_why *why, const char *code, const char *hint,
		  const char *fmt, ...) PRINTF_LIKE(4, 5);

static bool wrong(struct value_why *why, const char *code, const char *hint,
		  const char *fmt, ...)
{
	va_list ap;

	*why = (struct value_why){.code = code, .hint = hint};
	va_start(ap, fmt);
	(void)vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return false;
}

static void *place(void *base, const struct config_key *k)
{
	return (char *)base + k->at;
}

static bool out_of_range(const struct config_key *k, struct str s,
			 struct value_why *why)
{
	uint64_t unit = k->form == CONFIG_DURATION ? 1000000 : 1;

	return wrong(why, "out-of-range", NULL,
		     "%s: " STR_FMT " is not between %llu%s and %llu%s",
		     k->name, STR_ARG(s),
		     (unsigned long long)((uint64_t)k->min / unit),
		     unit > 1 ? "s" : "",
		     (unsigned long long)((uint64_t)k->max / unit),
		     unit > 1 ? "s" : "");
}

static bool store_number(void *base, const struct config_key *k, struct str s,
			 struct value_why *why)
{
	int64_t *to = place(base, k), v = 0;
	uint64_t u = 0;
	const char *want;
	int bad;

	if (k->form == CONFIG_DURATION) {
		want = "a time such as 10s, 5m, 2h, 30d";
		bad = str_to_duration(s, &u);
	} else if (k->form == CONFIG_SIZE) {
		want = "a size such as 64K, 512M, 1G";
		bad = str_to_size(s, &u);
	} else {
		want = "a whole number is wanted";
		bad = str_to_i64(s, INT64_MIN, INT64_MAX, &v);
	}
	if (bad)
		return wrong(why, "bad-value", want,
			     "%s: \"" STR_FMT "\" does not fit", k->name,
			     STR_ARG(s));
	v = k->form == CONFIG_INT ? v : (int64_t)u;
	if ((k->min || k->max) && (v < k->min || v > k->max))
		return out_of_range(k, s, why);
	*to = v;
	return true;
}

static bool store_choice(void *base, const struct config_key *k, struct str s,
			 struct value_why *why)
{
	struct str rest = str_from(k->choices);
	unsigned i = 0;

	for (; rest.p; i++)
		if (str_eq(str_cut(&rest, '|'), s)) {
			*(unsigned *)place(base, k) = i;
			return true;
		}
	return wrong(why, "bad-choice", NULL,
		     "%s: \"" STR_FMT "\" is not one of %s", k->name,
		     STR_ARG(s), k->choices);
}

static bool store_entry(struct config *c, void *base,
			const struct config_key *k, struct str s,
			struct value_why *why)
{
	size_t max = k->max ? (size_t)k->max : CONFIG_LIST_MAX;
	struct config_texts *list = place(base, k);

	if (list->n == max)
		return wrong(why, "too-many", NULL, "%s: at most %zu", k->name,
			     max);
	if (!list->items)
		list->items = arena_alloc(c->arena, max * sizeof(struct str));
	if (!list->items)
		return wrong(why, "too-large", NULL, "%s: too much", k->name);
	list->items[list->n++] = value_copy(c, s);
	return true;
}

static bool store_bool(void *base, const struct config_key *k, struct str s,
		       struct value_why *why)
{
	bool yes = str_is(s, "true");

	if (!yes && !str_is(s, "false"))
		return wrong(why, "bad-value", NULL,
			     "%s: true or false is wanted", k->name);
	*(bool *)place(base, k) = yes;
	return true;
}

bool value_store(struct config *c, void *base, const struct config_key *k,
		 struct str s, struct value_why *why)
{
	const char *want = k->wrong ? k->wrong(s) : NULL;

	if (s.len > CONFIG_TEXT_MAX)
		return wrong(why, "too-large", NULL, "%s: over %d bytes",
			     k->name, CONFIG_TEXT_MAX);
	if (want)
		return wrong(why, "bad-value", want,
			     "%s: \"" STR_FMT "\" does not fit", k->name,
			     STR_ARG(s));
	switch (k->form) {
	case CONFIG_TEXT:
		*(struct str *)place(base, k) = value_copy(c, s);
		return true;
	case CONFIG_TEXTS:
		return store_entry(c, base, k, s, why);
	case CONFIG_INT:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		return store_number(base, k, s, why);
	case CONFIG_BOOL:
		return store_bool(base, k, s, why);
	case CONFIG_CHOICE:
		return store_choice(base, k, s, why);
	case CONFIG_PAIRS:
	case CONFIG_MAP:
	case CONFIG_MAPS:
		break;
	}
	return wrong(why, "bad-value", NULL, "%s: not one text", k->name);
}

void value_clear(void *base, const struct config_key *k)
{
	if (k->form == CONFIG_TEXTS)
		((struct config_texts *)place(base, k))->n = 0;
}
