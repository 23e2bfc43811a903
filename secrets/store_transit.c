/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What a transit slot says of itself: version u8, bound u8, then provider, mount,
 * key and what is sealed, each with its length as u16, big-endian.
 */
#include "secrets/store_internal.h"

#include <string.h>

enum {
	FORMAT = 1
};

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

struct part {
	char *text;
	size_t max;
	const char *of; /* which characters it has */
};

enum {
	PARTS = 4
};

static void parts_of(struct secret_transit *t, struct part ret[PARTS])
{
	ret[0] = (struct part){t->provider, SECRET_TRANSIT_PROVIDER_MAX,
			       LETTERS "_.-"};
	ret[1] = (struct part){t->mount, SECRET_TRANSIT_MOUNT_MAX,
			       LETTERS "_.-/"};
	ret[2] = (struct part){t->key, SECRET_TRANSIT_KEY_MAX, LETTERS "_.-"};
	ret[3] = (struct part){t->sealed, SECRET_TRANSIT_SEALED_MAX,
			       LETTERS "+/=:_.-"};
}

/* No segment that is empty, or leads elsewhere. */
static bool is_path(struct str s)
{
	while (s.len) {
		struct str segment = str_cut(&s, '/');

		if (!segment.len || str_is(segment, ".") ||
		    str_is(segment, ".."))
			return false;
	}
	return true;
}

static int take(const struct part *p, struct str s)
{
	if (!s.len || s.len > p->max)
		return -1;
	memcpy(p->text, s.p, s.len);
	p->text[s.len] = '\0';
	return strspn(p->text, p->of) == s.len ? 0 : -1;
}

static bool well_placed(const struct secret_transit *t)
{
	return is_path(str_from(t->mount)) && is_path(str_from(t->key)) &&
	       t->mount[strlen(t->mount) - 1] != '/';
}

int secret_transit_read(struct str text, struct secret_transit *ret,
			struct err *e)
{
	struct part parts[PARTS];
	struct str provider, mount = STR("transit"), key = text;
	const char *last;

	*ret = (struct secret_transit){.bound = false};
	parts_of(ret, parts);
	provider = str_cut(&key, '/');
	last = key.len ? memrchr(key.p, '/', key.len) : NULL;
	if (last) {
		mount = str_n(key.p, (size_t)(last - key.p));
		key = str_from_at(key, mount.len + 1);
	}
	if (!take(&parts[0], provider) && !take(&parts[1], mount) &&
	    !take(&parts[2], key) && well_placed(ret))
		return 0;
	return err_set(e, ERR_INVALID,
		       "a transit slot is PROVIDER/KEY, or PROVIDER/MOUNT/KEY");
}

int sstore_transit_pack(const struct secret_transit *t, unsigned char *out,
			size_t *ret_len, struct err *e)
{
	struct secret_transit copy = *t, same;
	struct part parts[PARTS];
	unsigned char *at = out;

	parts_of(&copy, parts);
	*at++ = FORMAT;
	*at++ = t->bound;
	for (size_t i = 0; i < PARTS; i++) {
		size_t len = strlen(parts[i].text);

		*at++ = (unsigned char)(len >> 8);
		*at++ = (unsigned char)len;
		memcpy(at, parts[i].text, len);
		at += len;
	}
	*ret_len = (size_t)(at - out);
	return sstore_transit_parse(out, *ret_len, &same, e);
}

int sstore_transit_parse(const unsigned char *p, size_t len,
			 struct secret_transit *ret, struct err *e)
{
	struct part parts[PARTS];
	size_t at = 2;

	*ret = (struct secret_transit){.bound = len > 1 && p[1]};
	parts_of(ret, parts);
	if (len < 2 || p[0] != FORMAT || p[1] > 1)
		goto malformed;
	for (size_t i = 0; i < PARTS; i++) {
		size_t n;

		if (len - at < 2)
			goto malformed;
		n = (size_t)p[at] << 8 | p[at + 1];
		at += 2;
		if (n > len - at ||
		    take(&parts[i], str_n((const char *)p + at, n)))
			goto malformed;
		at += n;
	}
	if (at == len && well_placed(ret))
		return 0;
malformed:
	return err_set(e, ERR_INVALID, "not a place of a transit key");
}
