/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One picture at a time; see screen.h. */
#include "cli/screen.h"
#include "cli/term.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum {
	CELL_MAX = 1024
};

static struct termios before;
static volatile sig_atomic_t ended, resized;

static void on_end(int sig)
{
	(void)sig;
	ended = 1;
}

static void on_resize(int sig)
{
	(void)sig;
	resized = 1;
}

int screen_begin(struct err *e)
{
	const struct sigaction end = {.sa_handler = on_end};
	const struct sigaction resize = {.sa_handler = on_resize};
	struct termios raw;

	if (tcgetattr(0, &before))
		return err_sys(e, errno, "the terminal");
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	(void)sigaction(SIGINT, &end, NULL);
	(void)sigaction(SIGTERM, &end, NULL);
	(void)sigaction(SIGHUP, &end, NULL);
	(void)sigaction(SIGWINCH, &resize, NULL);
	if (tcsetattr(0, TCSAFLUSH, &raw))
		return err_sys(e, errno, "the terminal");
	/* the other screen, no cursor */
	fputs("\033[?1049h\033[?25l", stdout);
	return 0;
}

void screen_end(void)
{
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	(void)tcsetattr(0, TCSAFLUSH, &before);
}

struct screen screen_now(void)
{
	struct winsize w;

	if (ioctl(1, TIOCGWINSZ, &w) || w.ws_col < 20 || w.ws_row < 5)
		return (struct screen){80, 24};
	return (struct screen){w.ws_col, w.ws_row};
}

void screen_draw(struct str picture)
{
	unsigned left = screen_now().lines;

	fputs("\033[H", stdout);
	while (picture.len && left--) {
		struct str line = str_cut(&picture, '\n');

		fwrite(line.p, 1, line.len, stdout);
		fputs(left && picture.len ? "\033[K\n" : "\033[K", stdout);
	}
	fputs("\033[J", stdout); /* what was below */
	fflush(stdout);
}

int screen_key(int timeout_ms)
{
	struct pollfd p = {.fd = 0, .events = POLLIN};
	char c;
	int n;

	n = ended || resized ? 0 : poll(&p, 1, timeout_ms);
	if (ended)
		return -1;
	if (resized) {
		resized = 0;
		return '\f';
	}
	if (n <= 0)
		return 0;
	return read(0, &c, 1) == 1 ? (unsigned char)c : -1;
}

/* The length of the first `width` characters. */
static size_t prefix(struct str s, size_t width, size_t *ret_n)
{
	size_t i = 0, n = 0;

	while (i < s.len && n < width) {
		i++;
		while (i < s.len && ((unsigned char)s.p[i] & 0xc0) == 0x80)
			i++;
		n++;
	}
	*ret_n = n;
	return i;
}

void screen_cell(struct buf *b, struct str s, size_t width)
{
	CLEANUP_BUF struct buf safe = BUF_INIT(8 * CELL_MAX);
	size_t n, len;

	if (s.len > CELL_MAX)
		s.len = CELL_MAX;
	term_text(s, &safe);
	len = prefix(buf_view(&safe), width, &n);
	buf_put(b, safe.data, len);
	for (; n < width; n++)
		buf_putc(b, ' ');
}
