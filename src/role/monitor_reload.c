/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What is read anew on HUP, or when the API asks: policies, and the
 * certificate with its key.  The files are opened here, because nobody else
 * may reach them; what is in them is the server's to judge, and only what it
 * took stays.  New policies need a new server and end its connections; a new
 * certificate does not.
 */
#include "base/fd.h"
#include "base/log.h"
#include "role/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
	const char *option;
	size_t max;
	mode_t refused;
} kinds[N_TLS_FDS] = {
	[TLS_CERT] = {"--tls-cert",      TLS_CERT_MAX,      022      },
	[TLS_KEY] = {"--tls-key",       TLS_KEY_MAX,       007 | 020},
	[TLS_CLIENT_CA] = {"--tls-client-ca", TLS_CLIENT_CA_MAX, 022      },
};

static void tls_files_none(struct tls_files *t)
{
	for (size_t i = 0; i < N_TLS_FDS; i++)
		t->fds[i] = -1;
}

static void tls_files_close(struct tls_files *t)
{
	for (size_t i = 0; i < N_TLS_FDS; i++)
		fd_close(&t->fds[i]);
}

/* A copy: what is in the file may change under a reader. */
static int read_one(size_t i, const char *path, int *ret, struct err *e)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct buf b = BUF_INIT(kinds[i].max);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, errno, "%s %s", kinds[i].option, path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_DENIED, "%s %s: not a file",
			       kinds[i].option, path);
	if (st.st_mode & kinds[i].refused)
		return err_set(e, ERR_DENIED, "%s %s: others may %s it",
			       kinds[i].option, path,
			       st.st_mode & 022 ? "change" : "read");
	/* its room at once, so that no copy of a key is left behind */
	if ((size_t)st.st_size > b.max || !buf_room(&b, b.max))
		return err_set(e, ERR_LIMIT, "%s %s: over %zu bytes",
			       kinds[i].option, path, b.max);
	if (fd_read_buf(fd, &b, e)) {
		buf_wipe(&b);
		return err_wrap(e, "%s %s", kinds[i].option, path);
	}
	*ret = fd_memfd_sealed("tls", buf_view(&b), e);
	buf_wipe(&b);
	return *ret < 0 ? -1 : 0;
}

int tls_files_read(const struct monitor *m, struct tls_files *ret,
		   struct err *e)
{
	struct tls_files t;

	tls_files_none(&t);
	for (size_t i = 0; i < N_TLS_FDS; i++) {
		if (!m->o.tls[i] || !read_one(i, m->o.tls[i], &t.fds[i], e))
			continue;
		tls_files_close(&t);
		return -1;
	}
	*ret = t;
	return 0;
}

/* --- a reload ----------------------------------------------------------- */

static void tell(struct monitor *m, bool ok, const char *text)
{
	struct wire_writer w = {.len = 0};
	struct err e;

	if (ok)
		log_info("read anew: %s", text);
	else
		log_error("it stays as it was: %s", text);
	if (!m->reload.asked || !m->control)
		return;
	wire_u8(&w, ok);
	wire_str(&w, str_from(text));
	if (chan_post(m->control, MSG_RELOADED, &w, NULL, 0, &e))
		log_error("server: %s", e.text);
}

static void finish(struct monitor *m, bool ok, const char *text)
{
	bool policies = m->reload.policies;

	if (ok)
		tell(m, true, policies ? "new policies" : text);
	else
		tell(m, false, text);
	m->reload.running = m->reload.policies = false;
	if (policies)
		roles_reload(m);
}

static int send_tls(struct monitor *m, struct err *e)
{
	size_t n = 0;

	if (!m->control)
		return err_set(e, ERR_UNAVAILABLE, "the server is away");
	if (tls_files_read(m, &m->reload.next, e))
		return -1;
	while (n < N_TLS_FDS && m->reload.next.fds[n] >= 0)
		n++;
	if (!chan_post(m->control, MSG_TLS, NULL, m->reload.next.fds, n, e))
		return 0;
	tls_files_close(&m->reload.next);
	return -1;
}

void reload_begin(struct monitor *m, bool asked)
{
	struct err e;

	if (m->reload.running) {
		m->reload.asked |= asked;
		return;
	}
	m->reload.running = true;
	m->reload.asked = asked;
	m->reload.policies = false;
	if (setup_policies(m, &m->reload.policies, &e))
		finish(m, false, e.text);
	else if (!m->o.tls[TLS_CERT])
		finish(m, true, "nothing has changed");
	else if (send_tls(m, &e))
		finish(m, false, e.text);
}

static int on_taken(struct monitor *m, struct wire_reader *r)
{
	bool ok = wire_get_u8(r) != 0;
	struct str text = wire_get_str(r, sizeof(((struct err *)0)->text));
	char copy[sizeof(((struct err *)0)->text) + 1];

	if (!wire_end(r) || !m->reload.running)
		return -1;
	(void)snprintf(copy, sizeof(copy), STR_FMT, STR_ARG(text));
	if (ok) {
		tls_files_close(&m->tls);
		m->tls = m->reload.next;
		tls_files_none(&m->reload.next);
	}
	tls_files_close(&m->reload.next);
	finish(m, ok, copy);
	return 0;
}

/* --- its channel -------------------------------------------------------- */

static int on_control(void *ctx, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct monitor *m = ctx;

	if (msg->type == MSG_TLS_TAKEN && !msg->n_fds)
		return on_taken(m, &r);
	if (msg->type != MSG_RELOAD || msg->n_fds || !wire_end(&r))
		return -1;
	reload_begin(m, true);
	return 0;
}

static void on_control_gone(void *ctx, const struct err *why)
{
	struct monitor *m = ctx;

	if (why)
		log_error("server, control: %s", why->text);
	reload_abandon(m);
}

static const struct chan_ops control_ops = {on_control, on_control_gone};

int reload_channel(struct monitor *m, int *ret_fd, struct err *e)
{
	int pair[2];

	reload_abandon(m);
	if (chan_pair(pair, e))
		return -1;
	m->control = chan_new(m->loop, pair[1], &control_ops, m);
	*ret_fd = pair[0];
	return 0;
}

void reload_abandon(struct monitor *m)
{
	bool policies = m->reload.running && m->reload.policies;

	chan_free(m->control);
	m->control = NULL;
	tls_files_close(&m->reload.next);
	m->reload.running = m->reload.policies = false;
	if (policies) /* the next server has them; the zygote has not */
		roles_reload(m);
}
