/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Counting what a workspace holds; see disk.h. */
#include "sandbox/disk.h"
#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct count {
	dev_t dev;
	uint64_t used, most;
	uint32_t entries;
};

static void count_dir(struct count *c, int fd, unsigned depth);

static void count_entry(struct count *c, int dir, const char *name,
			unsigned depth)
{
	struct stat st;
	int fd;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) || st.st_dev != c->dev)
		return;
	/* Of a file with many names each is a part. */
	c->used += (uint64_t)st.st_blocks * 512 /
		   (S_ISDIR(st.st_mode) || !st.st_nlink ? 1 : st.st_nlink);
	if (!S_ISDIR(st.st_mode) || depth == DISK_DEPTH_MAX)
		return;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		count_dir(c, fd, depth + 1);
}

/* fd is closed. */
static void count_dir(struct count *c, int fd, unsigned depth)
{
	DIR *d = fdopendir(fd);
	const struct dirent *ent;

	if (!d) {
		fd_close(&fd);
		return;
	}
	while (c->used <= c->most && c->entries < DISK_ENTRIES_MAX &&
	       (ent = readdir(d))) {
		if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, ".."))
			continue;
		c->entries++;
		count_entry(c, dirfd(d), ent->d_name, depth);
	}
	(void)closedir(d);
}

uint64_t disk_used(int dir_fd, uint64_t most)
{
	struct count c = {.most = most};
	struct stat st;
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st)) {
		fd_close(&fd);
		return 0;
	}
	c.dev = st.st_dev;
	count_dir(&c, fd, 0);
	return c.used;
}
