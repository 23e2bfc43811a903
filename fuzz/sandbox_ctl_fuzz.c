/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as a message to PID 1 of a sandbox, and as the memfd of GO. */
#include "base/mem.h"
#include "sandbox/ctl.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void read_exec(const uint8_t *data, size_t len)
{
	struct err e;
	CLEANUP_FD int fd =
		fd_memfd_sealed("go", str_n((const char *)data, len), &e);
	size_t seen = 0;
	struct ctl_exec x;

	if (fd < 0 || ctl_exec_read(fd, &x, &e))
		return;
	if (!x.argv[0])
		abort();
	for (char **v = x.argv; *v; v++)
		seen += strlen(*v) + 1;
	for (char **v = x.env; *v; v++)
		seen += strlen(*v) + 1;
	if (seen + 2 != len) /* nothing lost, nothing twice */
		abort();
	mem_free(x.argv);
	mem_free(x.env);
	mem_free(x.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct chan_msg msg = {.body = data, .body_len = len, .n_fds = 1};
	struct ctl_open_body open_body;
	struct ctl_unpack_body unpack;
	struct ctl_replace_body replace;

	if (!ctl_open_read(&msg, &open_body) && ctl_path_ok(open_body.path) &&
	    (open_body.path.len > CTL_PATH_MAX || open_body.path.p[0] == '/'))
		abort();
	if (!ctl_unpack_read(&msg, &unpack) && unpack.below.len > CTL_BELOW_MAX)
		abort();
	if (!ctl_replace_read(&msg, &replace) &&
	    (replace.file.p[0] == '.' || str_has(replace.file, '/')))
		abort();
	read_exec(data, len);
	return 0;
}
