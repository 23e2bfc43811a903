/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo backup > FILE` and `nfo restore FILE`. */
#include "base/fd.h"
#include "cli/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int to_stdout(void *ctx, const char *p, size_t len)
{
	(void)ctx;
	return fd_write_all(1, p, len) ? -1 : 0;
}

int verb_backup(int argc, char **argv, const struct verb *v)
{
	struct http_call c = {.method = "POST",
			      .path = "/v1/system/backup",
			      .accept = "application/x-tar",
			      .sink = to_stdout,
			      .progress = "backup"};
	struct http_answer a;
	int code;
	size_t n;

	code = opts_parse(argc, argv, v, NULL, 0, &n);
	if (code)
		return code > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n)
		return cli_usage(v);
	if (isatty(1)) {
		fputs("nfo: a backup is no text: nfo backup > FILE\n", stderr);
		return EXIT_USAGE;
	}
	code = cli_ask(&c, &a);
	if (code)
		return code;
	http_answer_done(&a);
	return 0;
}

static int map_file(const char *name, struct str *ret, struct err *e)
{
	CLEANUP_FD int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, errno, "%s", name);
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return err_set(e, ERR_INVALID, "%s: not a backup", name);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(e, errno, "%s", name);
	*ret = str_n(p, (size_t)st.st_size);
	return 0;
}

int verb_restore(int argc, char **argv, const struct verb *v)
{
	struct http_call c = {.method = "POST",
			      .path = "/v1/system/restore",
			      .type = "application/x-tar",
			      .progress = "restore"};
	struct http_answer a;
	struct err e;
	int code;
	size_t n;

	code = opts_parse(argc, argv, v, NULL, 0, &n);
	if (code)
		return code > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n != 1)
		return cli_usage(v);
	if (map_file(argv[0], &c.body, &e))
		return cli_fail(&e);
	code = cli_ask(&c, &a);
	(void)munmap((void *)(uintptr_t)c.body.p, c.body.len);
	if (code)
		return code;
	http_answer_done(&a);
	puts("restored; the server is in maintenance: look around, then\n"
	     "  echo '{\"on\": false}' | nfo api PUT /v1/system/maintenance "
	     "--data -");
	return 0;
}
