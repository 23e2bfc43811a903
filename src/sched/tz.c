/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Reading TZif files; see tz.h. */
#include "sched/tz.h"
#include "base/fd.h"
#include "base/mem.h"
#include "sched/tz_rule.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ZONES "/usr/share/zoneinfo"

enum {
	HEADER = 44,
	TYPE_SIZE = 6,
	TIMES_MAX = 5000,
	OFFSET_MAX = 26 * 3600,
	DAY = 86400
};

struct tz {
	int64_t *times;
	int32_t *offsets; /* from times[i] on */
	size_t n;
	int32_t first; /* before times[0] */
	bool has_rule;
	struct tz_rule rule;
};

/* --- parsing ------------------------------------------------------------ */

static uint32_t be32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 |
	       (uint32_t)u[2] << 8 | u[3];
}

static int64_t be64(const char *p)
{
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

struct counts {
	uint32_t isut, isstd, leap, time, type, chars;
};

static int header(struct str s, struct counts *c, char *version)
{
	if (s.len < HEADER || memcmp(s.p, "TZif", 4) != 0)
		return -1;
	*version = s.p[4];
	c->isut = be32(s.p + 20);
	c->isstd = be32(s.p + 24);
	c->leap = be32(s.p + 28);
	c->time = be32(s.p + 32);
	c->type = be32(s.p + 36);
	c->chars = be32(s.p + 40);
	if (c->time > TIMES_MAX || !c->type || c->type > 256 ||
	    c->chars > 10000 || c->leap > 1000 || c->isut > 256 ||
	    c->isstd > 256)
		return -1;
	return 0;
}

static size_t body_len(const struct counts *c, size_t width)
{
	return c->time * width + c->time + c->type * TYPE_SIZE + c->chars +
	       c->leap * (width + 4) + c->isstd + c->isut;
}

static int offset_of(const char *types, uint32_t i, int32_t *ret)
{
	*ret = (int32_t)be32(types + (size_t)i * TYPE_SIZE);
	return *ret < -OFFSET_MAX || *ret > OFFSET_MAX ? -1 : 0;
}

static int body(struct tz *z, struct str s, const struct counts *c,
		size_t width)
{
	const char *index = s.p + c->time * width, *types = index + c->time;

	z->times = mem_array(c->time + 1, sizeof(*z->times));
	z->offsets = mem_array(c->time + 1, sizeof(*z->offsets));
	if (offset_of(types, 0, &z->first))
		return -1;
	for (uint32_t i = 0; i < c->time; i++) {
		unsigned char type = (unsigned char)index[i];
		const char *at = s.p + i * width;

		z->times[i] = width == 8 ? be64(at) : (int32_t)be32(at);
		if (type >= c->type || offset_of(types, type, &z->offsets[i]) ||
		    (i && z->times[i] <= z->times[i - 1]))
			return -1;
	}
	z->n = c->time;
	return 0;
}

static int parse(struct tz *z, struct str s)
{
	struct counts c;
	size_t width = 4;
	char version;

	if (header(s, &c, &version))
		return -1;
	if (version >= '2') { /* the 64-bit part comes second */
		if (s.len - HEADER < body_len(&c, 4))
			return -1;
		s = str_from_at(s, HEADER + body_len(&c, 4));
		width = 8;
		if (header(s, &c, &version))
			return -1;
	}
	s = str_from_at(s, HEADER);
	if (s.len < body_len(&c, width) || body(z, s, &c, width))
		return -1;
	s = str_from_at(s, body_len(&c, width));
	if (width == 4 || s.len < 2)
		return 0;
	if (s.p[0] != '\n' || s.p[s.len - 1] != '\n')
		return -1;
	s = str_n(s.p + 1, s.len - 2);
	z->has_rule = s.len > 0;
	return z->has_rule ? tz_rule_parse(s, &z->rule) : 0;
}

int tz_parse(struct str file, struct tz **ret, struct err *e)
{
	struct tz *z = mem_alloc(sizeof(*z));

	if (file.len > TZ_FILE_MAX || parse(z, file)) {
		tz_free(z);
		return err_set(e, ERR_INVALID, "no time zone file");
	}
	*ret = z;
	return 0;
}

void tz_free(struct tz *z)
{
	if (!z)
		return;
	mem_free(z->times);
	mem_free(z->offsets);
	mem_free(z);
}

/* --- files -------------------------------------------------------------- */

bool tz_name_ok(struct str name)
{
	if (!name.len || name.len > TZ_NAME_MAX || name.p[0] == '/' ||
	    name.p[name.len - 1] == '/')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || c == '_' || c == '+' ||
		      c == '-' || c == '/'))
			return false;
	}
	return true;
}

static int open_zone(struct str name)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC,
			       .resolve =
				       RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	CLEANUP_FD int dir = open(ZONES, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[TZ_NAME_MAX + 1] = {0};

	memcpy(path, name.p, name.len);
	if (dir < 0)
		return -1;
	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

int tz_load(struct str name, struct tz **ret, struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(TZ_FILE_MAX);
	CLEANUP_FD int fd = -1;

	if (!tz_name_ok(name))
		return err_set(e, ERR_NOT_FOUND, "no name of a time zone");
	if (str_is(name, "UTC") || str_is(name, "Etc/UTC")) {
		*ret = mem_alloc(sizeof(**ret));
		return 0;
	}
	fd = open_zone(name);
	if (fd < 0)
		return err_set(e, ERR_NOT_FOUND,
			       "no time zone \"" STR_FMT "\" in " ZONES,
			       STR_ARG(name));
	if (fd_read_buf(fd, &b, e))
		return -1;
	return tz_parse(buf_view(&b), ret, e);
}

/* --- asking ------------------------------------------------------------- */

int32_t tz_offset(const struct tz *z, int64_t utc)
{
	size_t lo = 0, hi = z->n;

	if (z->has_rule && (!z->n || utc >= z->times[z->n - 1]))
		return tz_rule_offset(&z->rule, utc);
	while (lo < hi) { /* the first that is later */
		size_t mid = (lo + hi) / 2;

		if (z->times[mid] <= utc)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? z->offsets[lo - 1] : z->first;
}

int64_t tz_from_local(const struct tz *z, int64_t local)
{
	/* at most one change in two days */
	int32_t before = tz_offset(z, local - DAY);
	int32_t after = tz_offset(z, local + DAY);
	int64_t lo = local - DAY, hi = local + DAY;

	if (tz_offset(z, local - before) == before)
		return local - before;
	if (tz_offset(z, local - after) == after)
		return local - after;
	while (hi - lo > 1) { /* it falls into the gap: where that is */
		int64_t mid = lo + (hi - lo) / 2;

		if (tz_offset(z, mid) == before)
			lo = mid;
		else
			hi = mid;
	}
	return hi;
}
