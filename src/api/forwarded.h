/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Who asked, when a proxy asks: Forwarded (RFC 7239) and X-Forwarded-For,
 * -Proto, -Host and -Prefix, believed only as far as the proxies on the way are
 * trusted.  Pure.
 *
 * Each proxy appends whom it saw.  So the list is read from its end: the last
 * entry is the word of the peer; while the address that is named is itself a
 * trusted proxy, the entry before it is that proxy's word.  The first address
 * that is not trusted is the client, and what stands before it is the client's
 * own invention.  Where there are both lists they have to name the same client.
 */
#pragma once

#include "base/str.h"
#include "config/config.h"

enum {
	FORWARDED_HOPS_MAX = 32,
	FORWARDED_HEADER_MAX = 4096, /* all of one name */
	FORWARDED_HOST_MAX = 255,
	FORWARDED_CLIENT_MAX = 48
};

/* The headers, several of a name joined with ","; p NULL: not there. */
struct forwarded_headers {
	struct str forwarded, x_for, x_proto, x_host, x_prefix;
};

struct forwarded {
	char client
		[FORWARDED_CLIENT_MAX]; /* an address as inet_ntop(3) writes it, or
				  * "unix" */
	bool by_proxy; /* what follows is a trusted proxy's word */
	bool https;
	char host[FORWARDED_HOST_MAX + 1]; /* "": it said nothing */
	char prefix[130];                  /* as base_path; "" */
};

/*
 * peer is an address, or "unix".  0; -1: a trusted proxy sent what is none of
 * these headers (*ret_header names it): such a request is refused, because
 * nobody knows any more who asks.
 */
MUST_USE int forwarded_read(const struct config_texts *trusted, struct str peer,
			    const struct forwarded_headers *h,
			    struct forwarded *ret, const char **ret_header);
