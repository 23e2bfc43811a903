/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Where a test lets us die; see crash.h. */
#include "base/crash.h"

#ifdef NFO_CRASH_POINTS
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	LINE_MAX_BYTES = 128,
	DEAD = 137
};

static int dir = -1;
static char asked[LINE_MAX_BYTES]; /* of the environment */
static atomic_ulong *met;          /* shared by all that are forked */

void crash_begin(int dir_fd)
{
	const char *env = getenv("NFO_CRASH");
	void *page;

	dir = dir_fd;
	page = mmap(NULL, sizeof(*met), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		abort();
	met = page;
	if (dir < 0 && env)
		(void)snprintf(asked, sizeof(asked), "%s", env);
}

/* What is asked for now; the count starts anew with each. */
static bool read_asked(char line[LINE_MAX_BYTES])
{
	ssize_t n;
	int fd;

	if (dir < 0) {
		memcpy(line, asked, sizeof(asked));
		return line[0];
	}
	fd = openat(dir, "crash", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		atomic_store(met, 0);
		return false;
	}
	n = fd_read(fd, line, LINE_MAX_BYTES - 1);
	close(fd);
	line[n > 0 ? n : 0] = '\0';
	return n > 0;
}

void crash_point(const char *name)
{
	char line[LINE_MAX_BYTES];
	size_t len = strlen(name);
	uint64_t nth = 1;
	int saved = errno;

	if (!met || !read_asked(line) || strncmp(line, name, len) != 0 ||
	    (line[len] && line[len] != ' ' && line[len] != '\n')) {
		errno = saved;
		return;
	}
	if (line[len] == ' ')
		(void)!str_to_u64(str_trim(str_from(line + len)), UINT32_MAX,
				  &nth);
	if (atomic_fetch_add(met, 1) + 1 == nth &&
	    (dir < 0 || !renameat(dir, "crash", dir, "crashed")))
		_exit(DEAD); /* nothing of ours is run or flushed by it */
	errno = saved;
}
#endif
