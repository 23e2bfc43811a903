/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What is read anew on HUP, or when the API asks: settings, policies, and the
 * certificate with its key.  The files are opened here, because nobody else may
 * reach them; what is in them is the server's to judge, and all of it stays as
 * it was unless it takes all.  New policies need a new server and end its
 * connections; nothing else does.
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

void reload_init(struct monitor *m)
{
	m->reload.config = m->reload.policies = -1;
	tls_files_none(&m->reload.tls);
	tls_files_none(&m->tls);
}

/* What was read and is not wanted. */
static void drop(struct reload *r)
{
	fd_close(&r->config);
	fd_close(&r->policies);
	tls_files_close(&r->tls);
	r->running = false;
}

static void finish(struct monitor *m, const struct err *why)
{
	struct wire_writer w = {.len = 0};
	struct err e;

	if (why)
		log_error("it stays as it was: %s", why->text);
	else
		log_info("read anew: settings, policies%s",
			 m->tls.fds[TLS_CERT] < 0 ? "" : ", a new certificate");
	drop(&m->reload);
	notify_say(m, "READY=1");
	if (!m->reload.asked || !m->control)
		return;
	wire_u8(&w, !why);
	wire_str(&w, str_from(why ? why->text : ""));
	if (chan_post(m->control, MSG_RELOADED, &w, NULL, 0, &e))
		log_error("server: %s", e.text);
}

/* It judges what is in them. */
static int send_all(struct monitor *m, struct err *e)
{
	struct reload *r = &m->reload;
	int fds[2 + N_TLS_FDS] = {r->config, r->policies};
	struct wire_writer w = {.len = 0};
	size_t n = 2;

	for (size_t i = 0; i < N_TLS_FDS && r->tls.fds[i] >= 0; i++)
		fds[n++] = r->tls.fds[i];
	wire_u8(&w, r->policies_changed);
	return chan_post(m->control, MSG_ANEW, &w, fds, n, e);
}

void reload_begin(struct monitor *m, bool asked)
{
	struct reload *r = &m->reload;
	struct err e;

	if (r->running) {
		r->asked |= asked;
		return;
	}
	r->running = true;
	r->asked = asked;
	notify_reloading(m);
	if (!m->control) {
		err_set(&e, ERR_UNAVAILABLE, "the server is away");
		finish(m, &e);
	} else if (policies_read(m, &r->policies, &r->policies_changed, &e) ||
		   config_bundle(m, &r->config, &e) ||
		   tls_files_read(m, &r->tls, &e) || send_all(m, &e)) {
		finish(m, &e);
	}
}

static void take(int *ours, int *next)
{
	fd_close(ours);
	*ours = fd_take(next);
}

static int on_taken(struct monitor *m, struct wire_reader *rd)
{
	bool ok = wire_get_u8(rd) != 0;
	uint8_t format = wire_get_u8(rd), level = wire_get_u8(rd);
	struct str text = wire_get_str(rd, ERR_TEXT_MAX);
	struct reload *r = &m->reload;
	struct err e;

	if (!wire_end(rd) || !r->running || format >= N_LOG_FORMATS ||
	    level >= N_LOG_LEVELS)
		return -1;
	if (!ok) {
		err_set(&e, ERR_INVALID, STR_FMT, STR_ARG(text));
		finish(m, &e);
		return 0;
	}
	m->o.log_format = (enum log_format)format;
	m->o.log_level = (enum log_level)level;
	log_configure(m->o.log_format, m->o.log_level, m->o.log_journal);
	take(&m->config, &r->config);
	take(&m->policies, &r->policies);
	tls_files_close(&m->tls);
	m->tls = r->tls;
	tls_files_none(&r->tls);
	finish(m, NULL);
	if (r->policies_changed)
		roles_reload(m);
	return 0;
}

/* --- its channel -------------------------------------------------------- */

static int on_control(void *ctx, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct monitor *m = ctx;

	if (msg->n_fds)
		return -1;
	if (msg->type == MSG_TAKEN)
		return on_taken(m, &r);
	if (msg->type == MSG_PONG)
		return notify_pong(m, msg, NOTIFY_HTTP);
	if (!wire_end(&r))
		return -1;
	if (msg->type == MSG_RELOAD)
		reload_begin(m, true);
	else if (msg->type == MSG_DOCTOR)
		doctor_begin(m);
	else
		return -1;
	return 0;
}

static void on_control_gone(void *ctx, const struct err *why)
{
	struct monitor *m = ctx;

	if (why) { /* it said what it may not */
		log_error("server, control: %s", why->text);
		roles_kill(m, ROLE_SERVER);
	}
	reload_abandon(m);
}

static const struct chan_ops control_ops = {on_control, on_control_gone};

void control_ping(struct monitor *m, const struct wire_writer *w)
{
	struct err e;

	if (m->control && chan_post(m->control, MSG_PING, w, NULL, 0, &e))
		log_error("server: %s", e.text);
}

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
	struct err e;

	chan_free(m->control);
	m->control = NULL;
	if (!m->reload.running)
		return;
	err_set(&e, ERR_UNAVAILABLE, "the server went away over it");
	finish(m, &e);
}
