/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Logs that grow, by inotify; see logwatch.h.  The kernel gives one watch for
 * one file, so followers of one log share it and are counted. */
#include "engine/logwatch.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

struct logwatch {
	int fd;
	struct link items;
};

struct logwatch_item {
	struct link link;
	struct logwatch *owner;
	int wd;
	logwatch_fn *fn;
	void *ctx;
};

int logwatch_new(struct logwatch **ret, struct err *e)
{
	struct logwatch *w = mem_alloc(sizeof(*w));

	list_init(&w->items);
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd < 0) {
		mem_free(w);
		return err_sys(e, errno, "inotify");
	}
	*ret = w;
	return 0;
}

void logwatch_free(struct logwatch *w)
{
	if (!w)
		return;
	fd_close(&w->fd);
	mem_free(w);
}

int logwatch_fd(const struct logwatch *w)
{
	return w->fd;
}

void logwatch_drain(struct logwatch *w)
{
	_Alignas(struct inotify_event) char raw[4096];
	ssize_t n;

	while ((n = fd_read(w->fd, raw, sizeof(raw))) > 0)
		for (char *p = raw; p < raw + n;) {
			const struct inotify_event *ev = (void *)p;

			p += sizeof(*ev) + ev->len;
			LIST_FOR(l, &w->items)
			{
				struct logwatch_item *i = LIST_ENTRY(
					l, struct logwatch_item, link);

				if (i->wd == ev->wd || ev->wd < 0)
					i->fn(i->ctx);
			}
		}
}

int logwatch_add(struct logwatch *w, int idx_fd, logwatch_fn *fn, void *ctx,
		 struct logwatch_item **ret, struct err *e)
{
	struct logwatch_item *i;
	char path[32];
	int wd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", idx_fd);
	wd = inotify_add_watch(w->fd, path, IN_MODIFY);
	if (wd < 0) {
		err_sys(e, errno, "watch a log");
		if (errno == ENOSPC)
			e->code = ERR_LIMIT;
		return -1;
	}
	i = mem_alloc(sizeof(*i));
	*i = (struct logwatch_item){.owner = w, .wd = wd, .fn = fn, .ctx = ctx};
	list_push(&w->items, &i->link);
	*ret = i;
	return 0;
}

void logwatch_del(struct logwatch_item *i)
{
	struct logwatch *w;
	int wd;

	if (!i)
		return;
	w = i->owner;
	wd = i->wd;
	list_del(&i->link);
	mem_free(i);
	LIST_FOR(l, &w->items)
	if (LIST_ENTRY(l, struct logwatch_item, link)->wd == wd)
		return; /* somebody else still follows it */
	(void)inotify_rm_watch(w->fd, wd);
}
