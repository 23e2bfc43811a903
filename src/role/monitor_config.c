/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The settings of the server, which we do not read: the file's bytes and the
 * options that win over it, framed for config_decode().
 */
#include "base/fd.h"
#include "role/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	CONFIG_FILE_MAX = 1 << 20,
	ATTACHED_FILE_MAX = 256 << 10,
	BUNDLE_MAX = CONFIG_FILE_MAX + (256 << 10) + (1 << 20)
};

static void frame(struct buf *b, const char *name, struct str content)
{
	buf_printf(b, "%s %zu\n", name, content.len);
	buf_str(b, content);
	buf_putc(b, '\n');
}

/* Framed as this name. */
static int add_file_as(const char *name, const char *path, size_t max,
		       struct buf *b, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(max);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_DENIED, "%s: not a file", path);
	if ((st.st_uid && st.st_uid != geteuid()) || st.st_mode & 022)
		return err_set(e, ERR_DENIED, "%s: others may change it", path);
	if (fd_read_buf(fd, &text, e))
		return err_wrap(e, "%s", path);
	frame(b, name, buf_view(&text));
	return 0;
}

static int add_file(const char *before, const char *path, size_t max,
		    struct buf *b, struct err *e)
{
	char name[INIT_PATH_MAX + 2];

	if (strchr(path, '\n') || strlen(path) > INIT_PATH_MAX)
		return err_set(e, ERR_INVALID,
			       "--config, --attach: no such name");
	(void)snprintf(name, sizeof(name), "%s%s", before, path);
	return add_file_as(name, path, max, b, e);
}

/* A URL, and the PEM that goes with it. */
static int add_fetch(const char *url, const char *ca, struct buf *b,
		     struct err *e)
{
	if (strpbrk(url, " \n"))
		return err_set(e, ERR_INVALID, "--fetch: no such URL");
	if (*ca)
		return add_file_as(url, ca, ATTACHED_FILE_MAX, b, e);
	frame(b, url, STR(""));
	return 0;
}

int fetch_list(const struct monitor *m, int *ret, struct err *e)
{
	const struct opt_texts *urls = &m->o.fetch, *cas = &m->o.fetch_ca;
	CLEANUP_BUF struct buf b = BUF_INIT(BUNDLE_MAX + BUNDLE_MAX);
	int fd;

	for (size_t i = 0; i < urls->n; i++)
		if (add_fetch(urls->items[i], i < cas->n ? cas->items[i] : "",
			      &b, e))
			return -1;
	if (b.failed)
		return err_set(e, ERR_LIMIT, "--fetch-ca: too large");
	fd = fd_memfd_sealed("fetch", buf_view(&b), e);
	if (fd < 0)
		return -1;
	*ret = fd;
	return 0;
}

int config_bundle(const struct monitor *m, int *ret, struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(BUNDLE_MAX);
	int fd;

	if (m->o.config && add_file("", m->o.config, CONFIG_FILE_MAX, &b, e))
		return -1;
	for (size_t i = 0; i < m->o.attached.n; i++)
		if (add_file("+", m->o.attached.items[i], ATTACHED_FILE_MAX, &b,
			     e))
			return -1;
	for (size_t i = 0; i < m->o.n_settings; i++)
		frame(&b, "-", str_from(m->o.settings[i]));
	if (b.failed)
		return err_set(e, ERR_LIMIT, "the settings are too large");
	fd = fd_memfd_sealed("config", buf_view(&b), e);
	if (fd < 0)
		return -1;
	*ret = fd;
	return 0;
}
