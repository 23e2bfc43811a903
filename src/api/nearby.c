/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Whose pid namespace it is; see nearby.h. */
#include "api/nearby.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	INFO_MAX = 4096
};

/* The numbers behind "NSpid:". */
static size_t count_pids(struct str info)
{
	size_t n = 0;

	while (info.len) {
		struct str line = str_cut(&info, '\n');

		if (!str_starts(line, STR("NSpid:")))
			continue;
		line = str_trim(str_from_at(line, 6));
		for (; line.len; n++)
			(void)str_cut(&line, '\t');
		return n;
	}
	return 0;
}

bool nearby(int fdinfo_fd, pid_t pid)
{
	CLEANUP_FD int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	CLEANUP_BUF struct buf info = BUF_INIT(INFO_MAX);
	char name[16];
	struct err e;

	if (fd < 0)
		return false;
	(void)snprintf(name, sizeof(name), "%d", fd);
	return !fd_read_file(fdinfo_fd, name, &info, &e) &&
	       count_pids(buf_view(&info)) == 1;
}
