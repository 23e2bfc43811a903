/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Who asked, when a proxy asks; see forwarded.h. */
#include "api/forwarded.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* --- addresses ---------------------------------------------------------- */

/* IPv4 as IPv6 has it, so that one comparison is enough. */
struct address {
	unsigned char b[16];
	bool v4;
};

static int read_address(struct str s, struct address *ret)
{
	static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
						 0, 0, 0, 0, 0xff, 0xff};
	char text[INET6_ADDRSTRLEN];

	if (!s.len || s.len >= sizeof(text))
		return -1;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	memcpy(ret->b, mapped, sizeof(mapped));
	ret->v4 = true;
	if (inet_pton(AF_INET, text, ret->b + 12) == 1)
		return 0;
	if (inet_pton(AF_INET6, text, ret->b) != 1)
		return -1;
	ret->v4 = !memcmp(ret->b, mapped, sizeof(mapped));
	return 0;
}

static void write_address(const struct address *a,
			  char out[FORWARDED_CLIENT_MAX])
{
	if (!inet_ntop(a->v4 ? AF_INET : AF_INET6, a->v4 ? a->b + 12 : a->b,
		       out, FORWARDED_CLIENT_MAX))
		out[0] = '\0';
}

static bool in_network(const struct address *a, struct str network)
{
	struct str bits_text = network, host = str_cut(&bits_text, '/');
	struct address n;
	uint64_t bits = 128;

	if (read_address(host, &n) || n.v4 != a->v4)
		return false;
	if (bits_text.p) {
		if (str_to_u64(bits_text, n.v4 ? 32 : 128, &bits))
			return false;
		bits += n.v4 ? 96 : 0;
	}
	for (size_t i = 0; i < 16 && bits; i++) {
		unsigned take = bits < 8 ? (unsigned)bits : 8;
		unsigned mask = (0xff00u >> take) & 0xff;

		if ((a->b[i] ^ n.b[i]) & mask)
			return false;
		bits -= take;
	}
	return true;
}

static bool trusts(const struct config_texts *trusted, const struct address *a)
{
	for (size_t i = 0; i < trusted->n; i++)
		if (in_network(a, trusted->items[i]))
			return true;
	return false;
}

static bool trusts_unix(const struct config_texts *trusted)
{
	for (size_t i = 0; i < trusted->n; i++)
		if (str_is(trusted->items[i], "unix"))
			return true;
	return false;
}

/* An address with or without a port: "1.2.3.4", "1.2.3.4:5", "::1", "[::1]",
 * "[::1]:5". */
static int read_node(struct str s, struct address *ret)
{
	const char *colon, *end;

	s = str_trim(s);
	if (s.len && s.p[0] == '[') {
		end = memchr(s.p, ']', s.len);
		return end ? read_address(
				     str_n(s.p + 1, (size_t)(end - s.p) - 1),
				     ret) :
			     -1;
	}
	colon = s.len ? memchr(s.p, ':', s.len) : NULL;
	if (colon && !memchr(colon + 1, ':', s.len - (size_t)(colon - s.p) - 1))
		s.len = (size_t)(colon - s.p);
	return read_address(s, ret);
}

/* --- the list of hops --------------------------------------------------- */

/* What one proxy said: whom it saw, how, and under which name. */
struct hop {
	struct str node, proto, host;
};

struct hops {
	struct hop items[FORWARDED_HOPS_MAX];
	size_t n;
	char room[FORWARDED_HEADER_MAX]; /* of quoted strings */
	size_t used;
};

static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static void skip_space(struct str *s)
{
	while (s->len && (s->p[0] == ' ' || s->p[0] == '\t'))
		*s = str_from_at(*s, 1);
}

/* Unescaped into the room, which is as large as all of the header. */
static int quoted(struct str *s, struct hops *h, struct str *ret)
{
	size_t from = h->used, i = 1;

	for (; i < s->len && s->p[i] != '"'; i++) {
		i += s->p[i] == '\\';
		if (i >= s->len || (unsigned char)s->p[i] < 0x20 ||
		    h->used == sizeof(h->room))
			return -1;
		h->room[h->used++] = s->p[i];
	}
	if (i >= s->len)
		return -1;
	*s = str_from_at(*s, i + 1);
	*ret = str_n(h->room + from, h->used - from);
	return 0;
}

/* Some servers write an address with its colons and brackets bare, which is no
 * token: it is understood all the same. */
static int value(struct str *s, struct hops *h, struct str *ret)
{
	size_t n = 0;

	if (s->len && s->p[0] == '"')
		return quoted(s, h, ret);
	while (n < s->len &&
	       (is_token(s->p[n]) || (s->p[n] && strchr(":[]/", s->p[n]))))
		n++;
	*ret = str_n(s->p, n);
	*s = str_from_at(*s, n);
	return n ? 0 : -1;
}

static bool named(struct str s, const char *name)
{
	return s.len == strlen(name) && !strncasecmp(s.p, name, s.len);
}

/* NAME=VALUE */
static int pair(struct str *s, struct hops *h, struct hop *to)
{
	struct str name, v, *place;
	size_t n = 0;

	while (n < s->len && is_token(s->p[n]))
		n++;
	name = str_n(s->p, n);
	*s = str_from_at(*s, n);
	if (!n || !s->len || s->p[0] != '=')
		return -1;
	*s = str_from_at(*s, 1);
	if (value(s, h, &v))
		return -1;
	place = named(name, "for")   ? &to->node :
		named(name, "proto") ? &to->proto :
		named(name, "host")  ? &to->host :
				       NULL;
	if (place && place->p) /* twice */
		return -1;
	if (place)
		*place = v;
	return 0;
}

/* RFC 7239, section 4. */
static int read_forwarded(struct str s, struct hops *h)
{
	bool open = false; /* the last hop may get more pairs */

	for (;;) {
		skip_space(&s);
		if (s.len && s.p[0] != ',' && s.p[0] != ';') {
			if (!open && h->n == FORWARDED_HOPS_MAX)
				return -1;
			if (!open)
				h->items[h->n++] = (struct hop){
					.node = {NULL, 0}
                                };
			open = true;
			if (pair(&s, h, &h->items[h->n - 1]))
				return -1;
			skip_space(&s);
		}
		if (!s.len)
			return 0;
		if (s.p[0] == ',')
			open = false;
		else if (s.p[0] != ';' || !open)
			return -1;
		s = str_from_at(s, 1);
	}
}

static int read_x_for(struct str s, struct hops *h)
{
	while (s.p) {
		struct str one = str_trim(str_cut(&s, ','));

		if (!one.len)
			continue;
		if (h->n == FORWARDED_HOPS_MAX)
			return -1;
		h->items[h->n++] = (struct hop){.node = one};
	}
	return 0;
}

/* --- what is believed --------------------------------------------------- */

/* The end of a list: the word of the nearest. */
static struct str last_of(struct str s)
{
	struct str last = s;

	while (s.p)
		last = str_cut(&s, ',');
	return str_trim(last);
}

static int set_proto(struct str s, struct forwarded *ret)
{
	if (!s.len)
		return 0;
	ret->https = named(s, "https");
	return ret->https || named(s, "http") ? 0 : -1;
}

/* A name or address, and a port. */
static int set_host(struct str s, struct forwarded *ret)
{
	if (s.len > FORWARDED_HOST_MAX)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || (c && strchr("-._:[]", c))))
			return -1;
	}
	if (s.len)
		memcpy(ret->host, s.p, s.len);
	ret->host[s.len] = '\0';
	return 0;
}

static int set_prefix(struct str s, struct forwarded *ret)
{
	if (s.len && s.p[s.len - 1] == '/')
		s.len--;
	if (!config_base_path_ok(s) || s.len >= sizeof(ret->prefix))
		return -1;
	if (s.len)
		memcpy(ret->prefix, s.p, s.len);
	ret->prefix[s.len] = '\0';
	return 0;
}

/* From the end to the first that is not one of ours; which hop named it. */
static const struct hop *walk(const struct config_texts *trusted,
			      const struct hops *h, struct forwarded *ret)
{
	const struct hop *at = NULL;
	struct address a;

	for (size_t i = h->n; i; i--) {
		/* "unknown", or hidden: then the one who says so is all that
		 * is known */
		if (read_node(h->items[i - 1].node, &a))
			break;
		at = &h->items[i - 1];
		write_address(&a, ret->client);
		if (!trusts(trusted, &a))
			break;
	}
	return at;
}

/* A proxy writes one of the two and passes the other on as it came, so that
 * both have to mean the same client: nobody knows which is the proxy's. */
static int agree(const struct config_texts *trusted,
		 const struct forwarded_headers *h,
		 const struct forwarded *peer, const struct forwarded *ret)
{
	struct forwarded other = *peer;
	struct hops hops = {.n = 0};

	if (read_x_for(h->x_for, &hops))
		return -1;
	(void)walk(trusted, &hops, &other);
	return strcmp(other.client, ret->client) ? -1 : 0;
}

static int believe(const struct config_texts *trusted,
		   const struct forwarded_headers *h, struct forwarded *ret,
		   const char **ret_header)
{
	const struct forwarded peer = *ret;
	struct hops hops = {.n = 0};
	const struct hop *at;

	ret->by_proxy = true;
	*ret_header = "X-Forwarded-Prefix";
	if (set_prefix(last_of(h->x_prefix), ret))
		return -1;
	if (h->forwarded.p) { /* the standard one, and then only that */
		*ret_header = "Forwarded";
		if (read_forwarded(h->forwarded, &hops))
			return -1;
		at = walk(trusted, &hops, ret);
		if (h->x_for.p && agree(trusted, h, &peer, ret))
			return -1;
		if (!at && hops.n)
			at = &hops.items[hops.n - 1];
		return at && (set_proto(at->proto, ret) ||
			      set_host(at->host, ret)) ?
			       -1 :
			       0;
	}
	*ret_header = "X-Forwarded-For";
	if (read_x_for(h->x_for, &hops))
		return -1;
	(void)walk(trusted, &hops, ret);
	*ret_header = "X-Forwarded-Proto";
	if (set_proto(last_of(h->x_proto), ret))
		return -1;
	*ret_header = "X-Forwarded-Host";
	return set_host(last_of(h->x_host), ret);
}

int forwarded_read(const struct config_texts *trusted, struct str peer,
		   const struct forwarded_headers *h, struct forwarded *ret,
		   const char **ret_header)
{
	struct address a;
	bool trusted_peer;

	*ret = (struct forwarded){.https = false};
	if (str_is(peer, "unix")) {
		(void)snprintf(ret->client, sizeof(ret->client), "unix");
		trusted_peer = trusts_unix(trusted);
	} else if (read_node(peer, &a)) {
		return 0;
	} else {
		write_address(&a, ret->client);
		trusted_peer = trusts(trusted, &a);
	}
	return trusted_peer ? believe(trusted, h, ret, ret_header) : 0;
}
