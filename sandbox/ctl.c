/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The holder's side of the control socket; see ctl.h. */
#include "sandbox/ctl.h"
#include "base/mem.h"
#include "sandbox/sandbox.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum {
	EXEC_MAX = 2 << 20,
	VECTOR_MAX = 65536
};

static bool put_vector(struct buf *b, char *const *v)
{
	for (; *v; v++)
		buf_put(b, *v, strlen(*v) + 1);
	return buf_putc(b, '\0'); /* an empty string ends a vector */
}

int ctl_go_pass(int ctl, char *const *argv, char *const *env,
		const int stdio[3], const int *pass, size_t n_pass,
		struct err *e)
{
	int fds[CHAN_FDS_MAX] = {stdio[0], stdio[1], stdio[2]};
	struct buf b = BUF_INIT(EXEC_MAX);
	CLEANUP_FD int memfd = -1;
	int r;

	if (n_pass > CTL_PASS_MAX)
		return err_set(e, ERR_LIMIT, "too many descriptors");
	put_vector(&b, argv);
	if (!put_vector(&b, env)) {
		buf_wipe(&b);
		return err_set(e, ERR_LIMIT,
			       "arguments and environment are too long");
	}
	memfd = fd_memfd_sealed("go", buf_view(&b), e);
	buf_wipe(&b);
	if (memfd < 0)
		return -1;
	fds[3] = memfd;
	for (size_t i = 0; i < n_pass; i++)
		fds[CTL_STDIO + i] = pass[i];
	r = chan_send(ctl, CTL_GO, NULL, fds, CTL_STDIO + n_pass, e);
	return r > 0 ? 0 : r ? -1 : err_set(e, ERR_INTERNAL, "no room");
}

int ctl_go(int ctl, char *const *argv, char *const *env, const int stdio[3],
	   struct err *e)
{
	return ctl_go_pass(ctl, argv, env, stdio, NULL, 0, e);
}

int ctl_term(int ctl, struct err *e)
{
	return chan_send(ctl, CTL_TERM, NULL, NULL, 0, e) > 0 ? 0 : -1;
}

int ctl_leave(int ctl, struct err *e)
{
	return chan_send(ctl, CTL_LEAVE, NULL, NULL, 0, e) > 0 ? 0 : -1;
}

/* One answer; anything else ends the talk. */
static int answer(int ctl, enum ctl_type want, unsigned char *room,
		  struct chan_msg *msg, struct err *e)
{
	int r;

	/* That of a REPLACE which the payload did not live to see. */
	while ((r = chan_recv(ctl, room, msg, e)) > 0 &&
	       msg->type == CTL_REPLACED)
		chan_msg_done(msg);
	if (r < 0)
		return -1;
	if (!r)
		return err_set(e, ERR_UNAVAILABLE, "the sandbox is gone");
	if (msg->type != want) {
		chan_msg_done(msg);
		return err_set(e, ERR_INTERNAL, "a message out of turn");
	}
	return 0;
}

int ctl_open(int ctl, const char *path, unsigned flags, int *ret_fd,
	     struct err *e)
{
	unsigned char room[WIRE_MAX + 2];
	struct wire_writer w = {.len = 0};
	struct wire_reader r;
	struct chan_msg msg;
	uint32_t sys;

	wire_u8(&w, (uint8_t)flags);
	wire_str(&w, str_from(path));
	if (chan_send(ctl, CTL_OPEN, &w, NULL, 0, e) <= 0)
		return -1;
	if (answer(ctl, CTL_OPENED, room, &msg, e))
		return -1;
	r = wire_reader(msg.body, msg.body_len);
	sys = wire_get_u32(&r);
	if (wire_end(&r) && !sys && msg.n_fds == 1) {
		*ret_fd = chan_msg_take(&msg, 0);
		return 0;
	}
	chan_msg_done(&msg);
	errno = sys ? (int)sys : EPROTO;
	return err_sys(e, errno, "%s", path);
}

int ctl_unpack(int ctl, const char *below, bool read_only, int tar_fd,
	       struct err *e)
{
	unsigned char room[WIRE_MAX + 2];
	struct wire_writer w = {.len = 0};
	struct wire_reader r;
	struct chan_msg msg;
	struct str text;

	wire_str(&w, str_from(below));
	wire_u8(&w, read_only);
	if (chan_send(ctl, CTL_UNPACK, &w, &tar_fd, 1, e) <= 0)
		return -1;
	if (answer(ctl, CTL_UNPACKED, room, &msg, e))
		return -1;
	r = wire_reader(msg.body, msg.body_len);
	text = wire_get_str(&r, ERR_TEXT_MAX);
	if (wire_end(&r) && !text.len) {
		chan_msg_done(&msg);
		return 0;
	}
	err_set(e, ERR_INTERNAL, STR_FMT, STR_ARG(text));
	chan_msg_done(&msg);
	return -1;
}

int ctl_replace(int ctl, const char *name, int memfd, struct err *e)
{
	struct wire_writer w = {.len = 0};

	wire_str(&w, str_from(name));
	return chan_send(ctl, CTL_REPLACE, &w, &memfd, 1, e) <= 0 ? -1 : 0;
}

static bool name_part(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '_' &&
		    s.p[i] != '-' && (s.p[i] != '.' || !i))
			return false;
	return s.len > 0 && s.len <= SANDBOX_NAME_MAX;
}

int ctl_replace_read(const struct chan_msg *msg, struct ctl_replace_body *ret)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct str name = wire_get_str(&r, 2 * SANDBOX_NAME_MAX + 1);

	if (!wire_end(&r) || msg->n_fds != 1)
		return -1;
	ret->dir = STR("");
	if (str_has(name, '/')) {
		ret->dir = str_cut(&name, '/');
		if (!name_part(ret->dir))
			return -1;
	}
	ret->file = name;
	return name_part(name) ? 0 : -1;
}

/* Count the strings of a vector and step behind its end; -1: not ended. */
static int vector_end(const char **at, const char *end, size_t *ret_n)
{
	size_t n = 0;

	while (*at < end) {
		size_t len = strnlen(*at, (size_t)(end - *at));

		if (*at + len == end)
			return -1;
		*at += len + 1;
		if (!len) {
			*ret_n = n;
			return n > VECTOR_MAX ? -1 : 0;
		}
		n++;
	}
	return -1;
}

static char **vector(char *text, size_t n)
{
	char **v = mem_array(n + 1, sizeof(*v));

	for (size_t i = 0; i < n; i++) {
		v[i] = text;
		text += strlen(text) + 1;
	}
	return v;
}

int ctl_exec_read(int memfd, struct ctl_exec *ret, struct err *e)
{
	struct buf b = BUF_INIT(EXEC_MAX);
	const char *at, *env;
	size_t n_argv, n_env, env_at;

	if (fd_memfd_read(memfd, &b, e))
		goto bad;
	at = b.data;
	if (!at || vector_end(&at, b.data + b.len, &n_argv) || !n_argv)
		goto malformed;
	env = at;
	if (vector_end(&at, b.data + b.len, &n_env) || at != b.data + b.len)
		goto malformed;
	env_at = (size_t)(env - b.data);
	ret->text_len = b.len;
	ret->text = buf_take(&b);
	ret->argv = vector(ret->text, n_argv);
	ret->env = vector(ret->text + env_at, n_env);
	return 0;
malformed:
	err_set(e, ERR_INVALID, "GO: malformed");
bad:
	buf_done(&b);
	return -1;
}

bool ctl_path_ok(struct str path)
{
	return path.len && path.len <= CTL_PATH_MAX && path.p[0] != '/' &&
	       !str_has(path, '\0');
}

int ctl_open_read(const struct chan_msg *msg, struct ctl_open_body *ret)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	bool directory = wire_get_u8(&r) != 0;
	struct str path = wire_get_str(&r, CTL_PATH_MAX);

	if (!wire_end(&r))
		return -1;
	*ret = (struct ctl_open_body){directory, path};
	return 0;
}

int ctl_unpack_read(const struct chan_msg *msg, struct ctl_unpack_body *ret)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct str below = wire_get_str(&r, CTL_BELOW_MAX);
	bool read_only = wire_get_u8(&r) != 0;

	if (!wire_end(&r) || msg->n_fds != 1)
		return -1;
	*ret = (struct ctl_unpack_body){below, read_only};
	return 0;
}
