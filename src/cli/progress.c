/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* How far a transfer is; see progress.h. */
#include "cli/progress.h"
#include "base/clock.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	QUIET_US = 500000, /* what is done sooner needs no line */
	REDRAW_US = 100000,
	BAR_MAX = 30,
	LINE_ROOM = 512
};

static unsigned columns(void)
{
	struct winsize w;

	return ioctl(2, TIOCGWINSZ, &w) || w.ws_col < 20 ? 80 : w.ws_col;
}

void progress_line(const char *what, uint64_t done, uint64_t total,
		   int64_t took_us, unsigned width, char *out, size_t max)
{
	uint64_t rate = took_us > 0 ? done * 1000000 / (uint64_t)took_us : 0;
	char bar[BAR_MAX + 3] = "", size[16], all[16], speed[16];
	int room = (int)width - 50;

	if (done > total)
		total = 0; /* it was wrong */
	cli_size(done, size);
	cli_size(total, all);
	cli_size(rate, speed);
	if (!total) {
		(void)snprintf(out, max, "%.*s: %s, %s/s",
			       room > 10 ? room : 10, what, size, speed);
		return;
	}
	for (unsigned i = 0; i < BAR_MAX; i++)
		bar[i] = i < done * BAR_MAX / total ? '#' : '-';
	if (width < 80)
		bar[0] = '\0'; /* no room for it */
	(void)snprintf(out, max, "%.*s: %s%s%3u%% of %s, %s/s, %us",
		       room > 10 ? room : 10, what, bar, bar[0] ? " " : "",
		       (unsigned)(done * 100 / total), all, speed,
		       (unsigned)(rate ? (total - done) / rate : 0));
}

void progress_begin(struct progress *p, const char *what)
{
	*p = (struct progress){.what = isatty(2) ? what : NULL,
			       .since_us = clock_mono_us()};
}

void progress_at(struct progress *p, uint64_t done, uint64_t total)
{
	int64_t now = clock_mono_us();
	char line[LINE_ROOM];

	if (!p->what || !done || now - p->since_us < QUIET_US ||
	    now - p->drawn_us < REDRAW_US)
		return;
	progress_line(p->what, done, total, now - p->since_us, columns(), line,
		      sizeof(line));
	fprintf(stderr, "\r\033[K%.*s", (int)columns() - 1, line);
	fflush(stderr);
	p->drawn_us = now;
	p->shown = true;
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
