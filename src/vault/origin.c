/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Where a URL leads, in one spelling; see http_origin(). */
#include "vault/http.h"

#include <string.h>

/* What may be in a URL that we ask; also keeps out what parsers read one way
 * and the other. */
static bool url_chars(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= 0x20 ||
		    (unsigned char)s.p[i] >= 0x7f ||
		    strchr("\"\\<>^`{|}#@", s.p[i]))
			return false;
	return s.len > 0;
}

/* [ADDRESS] or NAME, and :PORT. */
static int split(struct str *host, uint64_t *port)
{
	struct str rest = *host, digits;

	if (rest.len && rest.p[0] == '[') {
		const char *end = memchr(rest.p, ']', rest.len);

		if (!end)
			return -1;
		host->len = (size_t)(end - rest.p) + 1;
	} else {
		const char *colon = memchr(rest.p, ':', rest.len);

		host->len = colon ? (size_t)(colon - rest.p) : rest.len;
	}
	digits = str_from_at(rest, host->len);
	if (!host->len || (host->len < 3 && host->p[0] == '['))
		return -1;
	if (!digits.len)
		return 0;
	return digits.p[0] == ':' &&
			       !str_to_u64(str_from_at(digits, 1), 65535,
					   port) &&
			       *port ?
		       0 :
		       -1;
}

int http_origin(struct str url, struct buf *ret, uint16_t *ret_port)
{
	bool tls = str_starts(url, STR("https://"));
	struct str host = str_from_at(url, tls ? 8 : 7);
	uint64_t port = tls ? 443 : 80;
	size_t len = 0;

	if ((!tls && !str_starts(url, STR("http://"))) || !url_chars(url) ||
	    str_has(url, '?'))
		return -1;
	while (len < host.len && host.p[len] != '/')
		len++;
	host.len = len;
	if (split(&host, &port))
		return -1;
	buf_puts(ret, tls ? "https://" : "http://");
	for (size_t i = 0; i < host.len; i++)
		buf_putc(ret, host.p[i] >= 'A' && host.p[i] <= 'Z' ?
				      (char)(host.p[i] | 32) :
				      host.p[i]);
	buf_printf(ret, ":%u", (unsigned)port);
	if (ret_port)
		*ret_port = (uint16_t)port;
	return ret->failed ? -1 : 0;
}
