/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Files that the settings of providers of secrets name.  The keeper, which may
 * open none, asks for one by the number of the provider and what it is; we open
 * it, look who has access to it, and hand the descriptor on.  So it works for
 * files that only root reads and for files that are replaced while we run.
 */
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BUNDLE_MAX = 1 << 20
};

#define HANDED_DOWN "/dev/fd/"

/*
 * What may be asked for.
 *
 * open  others may read it: it is no secret, or one that lives for minutes and
 *       is put there by somebody else with the mode that he likes
 * link  the name may be a link, as what rotates certificates and tokens of
 *       service accounts makes them
 */
static const struct {
	bool open, link;
} kinds[N_CREDENTIALS] = {
	[CREDENTIAL_CA] = {true,  true },
	[CREDENTIAL_CLIENT_CERT] = {true,  true },
	[CREDENTIAL_CLIENT_KEY] = {false, true },
	[CREDENTIAL_TOKEN] = {false, false},
	[CREDENTIAL_SECRET_ID] = {false, false},
	[CREDENTIAL_JWT] = {true,  true },
};

/* --- the list ----------------------------------------------------------- */

/* The token that `nfo serve` found in its environment: a sealed memory file
 * that we were started with. */
static int add_fd(struct monitor *m, uint64_t n, enum credential which,
		  struct str number)
{
	uint64_t fd;
	size_t len;
	struct err e;

	if (str_to_u64(number, 1023, &fd) || fd < 3 ||
	    fd_memfd_check((int)fd, CREDENTIAL_MAX, &len, &e) ||
	    fcntl((int)fd, F_SETFD, FD_CLOEXEC))
		return -1;
	m->providers.fds[n][which] = (int)fd;
	return 0;
}

/* "N KEY": the path is that of a file. */
static int add_path(struct monitor *m, struct str name, struct str path)
{
	struct str number = str_cut(&name, ' ');
	uint64_t n;

	if (str_to_u64(number, PROVIDERS_MAX - 1, &n) || !path.len ||
	    path.p[0] != '/' || str_has(path, '\0') || path.len > INIT_PATH_MAX)
		return -1;
	for (int i = 0; i < N_CREDENTIALS; i++) {
		if (!str_is(name, credential_name((enum credential)i)))
			continue;
		if (str_starts(path, STR(HANDED_DOWN)) &&
		    add_fd(m, n, (enum credential)i,
			   str_from_at(path, sizeof(HANDED_DOWN) - 1)))
			return -1;
		mem_free(m->providers.paths[n][i]);
		m->providers.paths[n][i] = mem_strndup(path.p, path.len);
		return 0;
	}
	return -1;
}

static int take(struct monitor *m, struct str rest, struct err *e)
{
	struct str name, content;

	while (rest.len) {
		if (str_frame(&rest, &name, &content))
			return err_set(e, ERR_INVALID,
				       "--secret-providers: a list is wanted");
		if (str_is(name, "helper")) {
			if (helpers_add(m, content, e))
				return -1;
			continue;
		}
		if (!str_is(name, "list")) {
			if (add_path(m, name, content))
				return err_set(e, ERR_INVALID,
					       "--secret-providers: " STR_FMT
					       ": no such file",
					       STR_ARG(name));
			continue;
		}
		fd_close(&m->providers.list);
		m->providers.list = fd_memfd_sealed("providers", content, e);
		if (m->providers.list < 0)
			return -1;
	}
	return 0;
}

int providers_setup(struct monitor *m, struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(BUNDLE_MAX);

	m->providers.list = -1;
	if (m->o.providers_fd < 0)
		return 0;
	if (fd_memfd_read(m->o.providers_fd, &b, e) || take(m, buf_view(&b), e))
		return err_wrap(e, "--secret-providers");
	fd_close(&m->o.providers_fd);
	return 0;
}

/* --- one file ----------------------------------------------------------- */

static int check(const struct stat *st, const char *path, bool open,
		 struct err *e)
{
	if (!S_ISREG(st->st_mode))
		return err_set(e, ERR_DENIED, "%s: not a file", path);
	if (st->st_uid && st->st_uid != geteuid())
		return err_set(e, ERR_DENIED,
			       "%s: it belongs to another user than the "
			       "server's or root",
			       path);
	if (st->st_mode & 022)
		return err_set(e, ERR_DENIED,
			       "%s: others may change it (chmod go-w)", path);
	if (!open && st->st_mode & 044)
		return err_set(e, ERR_DENIED,
			       "%s: others may read it (chmod go-r)", path);
	if (st->st_size > CREDENTIAL_MAX)
		return err_set(e, ERR_LIMIT, "%s: over %d bytes", path,
			       CREDENTIAL_MAX);
	return 0;
}

static int open_file(const char *path, enum credential which, int *ret,
		     struct err *e)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	CLEANUP_FD int fd = -1;
	struct stat st;

	if (!kinds[which].link)
		flags |= O_NOFOLLOW;
	fd = open(path, flags);
	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOT_FOUND, "%s: it is not there", path);
	if (fd < 0 && errno == ELOOP)
		return err_set(e, ERR_DENIED, "%s: a link is not followed",
			       path);
	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, errno, "%s", path);
	if (check(&st, path, kinds[which].open, e))
		return -1;
	*ret = fd_take(&fd);
	return 0;
}

/* Each time another: who reads one moves its place. */
static int copy_of(int from, int *ret, struct err *e)
{
	struct buf b = BUF_INIT(CREDENTIAL_MAX);
	int bad = fd_memfd_read(from, &b, e);

	if (!bad)
		*ret = fd_memfd_sealed("credential", buf_view(&b), e);
	buf_wipe(&b);
	if (bad || *ret < 0)
		return -1;
	return lseek(*ret, 0, SEEK_SET) ? err_sys(e, errno, "lseek") : 0;
}

int credentials_open(struct monitor *m, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	uint32_t tag = wire_get_u32(&r);
	uint16_t provider = wire_get_u16(&r);
	uint8_t which = wire_get_u8(&r);
	struct wire_writer w = {.len = 0};
	struct err e = {.code = ERR_NONE};
	CLEANUP_FD int fd = -1;
	const char *path;

	if (!wire_end(&r) || msg->n_fds || provider >= PROVIDERS_MAX ||
	    which >= N_CREDENTIALS)
		return -1;
	path = m->providers.paths[provider][which];
	if (!path)
		err_set(&e, ERR_NOT_FOUND, "the settings name no %s",
			credential_name((enum credential)which));
	else if (m->providers.fds[provider][which])
		(void)!copy_of(m->providers.fds[provider][which], &fd, &e);
	else
		(void)!open_file(path, (enum credential)which, &fd, &e);
	wire_u32(&w, tag);
	wire_u8(&w, (uint8_t)(fd < 0 ? e.code : ERR_NONE));
	wire_str(&w, str_from(fd < 0 ? e.text : ""));
	(void)roles_post(m, ROLE_KEEPER, MSG_CREDENTIAL_IS, &w, &fd, fd >= 0);
	return 0;
}
