/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Names below STATE; see paths.h. */
#include "engine/paths.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	TAME_MAX = 40
};

void paths_attempt(char out[PATHS_MAX], const struct ulid *run, uint32_t index,
		   struct str name, uint32_t attempt)
{
	char tame[TAME_MAX + 1];
	size_t n = 0;

	for (; n < name.len && n < TAME_MAX; n++) {
		char c = name.p[n];

		tame[n] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
					  c == '-' ?
				  c :
				  '_';
	}
	tame[n] = '\0';
	(void)snprintf(out, PATHS_MAX, "runs/%s/%03" PRIu32 "-%s@%" PRIu32,
		       run->s, index, tame, attempt);
}

void paths_blob(char out[PATHS_MAX], const char hex[HASH_HEX_LEN + 1])
{
	(void)snprintf(out, PATHS_MAX, "blobs/sha256/%.2s/%s", hex, hex);
}

int paths_init(int state_fd, struct err *e)
{
	static const char *const dirs[] = {"runs", "blobs", "blobs/sha256",
					   "tmp"};

	if (fd_remove_tree(state_fd, "tmp", e))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (mkdirat(state_fd, dirs[i], 0700) && errno != EEXIST)
			return err_sys(e, errno, "%s", dirs[i]);
	return 0;
}

int paths_open(int state_fd, const struct ulid *run, uint32_t index,
	       struct str name, uint32_t attempt, const char *file, int *ret_fd,
	       struct err *e)
{
	char dir[PATHS_MAX], path[2 * PATHS_MAX];
	int fd;

	paths_attempt(dir, run, index, name, attempt);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = fd_open_beneath(state_fd, path, O_RDONLY, 0);
	if (fd < 0) {
		int sys = errno;

		err_sys(e, sys, "%s", path);
		if (sys == ENOENT)
			e->code = ERR_NOT_FOUND;
		return -1;
	}
	*ret_fd = fd;
	return 0;
}
