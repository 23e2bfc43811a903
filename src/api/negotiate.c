/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What headers say of media types and of versions; see negotiate.h. */
#include "api/negotiate.h"

#include <strings.h>

enum {
	Q_ONE = 1000
};

/* "0.25" in thousandths; what is odd counts as 0. */
static int quality(struct str s)
{
	int q = 0, unit = Q_ONE;

	s = str_trim(s);
	if (!s.len || (s.p[0] != '0' && s.p[0] != '1'))
		return 0;
	q = (s.p[0] - '0') * Q_ONE;
	for (size_t i = 2; i < s.len && i < 5; i++) {
		if (s.p[1] != '.' || s.p[i] < '0' || s.p[i] > '9')
			return 0;
		unit /= 10;
		q += (s.p[i] - '0') * unit;
	}
	return q > Q_ONE ? 0 : q;
}

static bool same(struct str a, struct str b)
{
	return a.len == b.len && !strncasecmp(a.p, b.p, a.len);
}

/* How closely a range names a type: 3 exactly, 2 text/ *, 1 anything, 0. */
static int closeness(struct str range, struct str type)
{
	struct str main_type, main_range;

	if (same(range, type))
		return 3;
	main_type = str_cut(&type, '/');
	main_range = str_cut(&range, '/');
	if (!str_is(range, "*"))
		return 0;
	if (same(main_range, main_type))
		return 2;
	return str_is(main_range, "*") ? 1 : 0;
}

/* The quality that the closest range gives a type. */
static int wish(struct str accept, struct str type)
{
	int best = 0, q = 0;

	while (accept.p) {
		struct str params = str_cut(&accept, ',');
		struct str range = str_trim(str_cut(&params, ';'));
		int near = closeness(range, type), mine = Q_ONE;

		while (params.p) {
			struct str value = str_cut(&params, ';');
			struct str key = str_trim(str_cut(&value, '='));

			if (str_is(key, "q") || str_is(key, "Q"))
				mine = quality(value);
		}
		if (near <= best)
			continue;
		best = near;
		q = mine;
	}
	return q;
}

int accept_pick(struct str accept, const char *const *types, size_t n)
{
	int best = -1, most = 0;

	if (!str_trim(accept).len)
		return 0;
	for (size_t i = 0; i < n; i++) {
		int q = wish(accept, str_from(types[i]));

		if (q <= most)
			continue;
		most = q;
		best = (int)i;
	}
	return best;
}

bool etag_in(struct str list, struct str tag)
{
	while (list.p) {
		struct str one = str_trim(str_cut(&list, ','));

		if (str_is(one, "*") || str_eq(one, tag))
			return true;
	}
	return false;
}

static struct str opaque(struct str tag)
{
	return str_starts(tag, STR("W/")) ? str_from_at(tag, 2) : tag;
}

bool etag_weakly_in(struct str list, struct str tag)
{
	while (list.p) {
		struct str one = str_trim(str_cut(&list, ','));

		if (str_is(one, "*") || str_eq(opaque(one), opaque(tag)))
			return true;
	}
	return false;
}

/* --- content codings ---------------------------------------------------- */

/* The quality given to a coding by its name, else by "*"; -1: not named. */
static int coding_quality(struct str accept, const char *name)
{
	int q = -1;
	bool named = false;

	while (accept.p) {
		struct str params = str_cut(&accept, ',');
		struct str one = str_trim(str_cut(&params, ';'));
		bool mine = same(one, str_from(name));
		int given = Q_ONE;

		if ((!mine && !str_is(one, "*")) || (named && !mine))
			continue;
		while (params.p) {
			struct str value = str_cut(&params, ';');
			struct str key = str_trim(str_cut(&value, '='));

			if (str_is(key, "q") || str_is(key, "Q"))
				given = quality(value);
		}
		named |= mine;
		q = given;
	}
	return q;
}

enum coding coding_pick(struct str accept)
{
	int zstd = coding_quality(accept, "zstd");
	int gzip = coding_quality(accept, "gzip");
	int plain = coding_quality(accept, "identity");

	if (zstd <= 0 && gzip <= 0)
		return CODING_NONE;
	if (plain > zstd && plain > gzip)
		return CODING_NONE;
	return zstd >= gzip ? CODING_ZSTD : CODING_GZIP;
}

const char *coding_name(enum coding c)
{
	static const char *const names[] = {
		[CODING_NONE] = "identity",
		[CODING_GZIP] = "gzip",
		[CODING_ZSTD] = "zstd",
	};

	return names[c];
}
