/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Which names a tar entry may have; see tar_name.h.  Pure. */
#include "base/tar_name.h"
#include "base/tar.h"

/* Make a clean relative path; -1 for one that is empty, absolute or climbs. */
int tar_name_clean(struct str in, struct buf *out)
{
	buf_reset(out);
	if (!in.len || in.p[0] == '/')
		return -1;
	while (in.len) {
		struct str part = str_cut(&in, '/');

		if (!part.len || str_is(part, "."))
			continue;
		if (str_is(part, "..") || str_has(part, '\0'))
			return -1;
		if (out->len)
			buf_putc(out, '/');
		buf_str(out, part);
	}
	return out->failed ? -1 : 0;
}

/* Does a link at path, read lexically, stay inside the tree? */
bool tar_name_link_stays(struct str path, struct str target)
{
	long depth = 0;

	if (!target.len || target.p[0] == '/' || str_has(target, '\0'))
		return false;
	for (size_t i = 0; i < path.len; i++)
		depth += path.p[i] == '/';
	while (target.len) {
		struct str part = str_cut(&target, '/');

		if (str_is(part, ".."))
			depth--;
		else if (part.len && !str_is(part, "."))
			depth++;
		if (depth < 0)
			return false;
	}
	return true;
}

/* Control characters in names would end up in messages and logs. */
bool tar_name_printable(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return str_utf8_valid(s);
}

int tar_name_refuse(struct err *e, struct str path, const char *why)
{
	char shown[128];
	size_t n = path.len < sizeof(shown) - 1 ? path.len : sizeof(shown) - 1;

	for (size_t i = 0; i < n; i++)
		shown[i] =
			path.p[i] < 0x20 || path.p[i] == 0x7f ? '?' : path.p[i];
	shown[n] = '\0';
	return err_set(e, ERR_INVALID, "tar entry \"%s\": %s", shown, why);
}

bool tar_path_ok(struct str path)
{
	CLEANUP_BUF struct buf clean = BUF_INIT(TAR_PATH_MAX);

	return tar_name_printable(path) && !tar_name_clean(path, &clean) &&
	       str_eq(buf_view(&clean), path);
}

bool tar_link_stays(struct str path, struct str target)
{
	return tar_name_printable(target) && tar_name_link_stays(path, target);
}
