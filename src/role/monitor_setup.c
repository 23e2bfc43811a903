/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What the monitor prepares before any role lives: the state directory and its
 * lock, the users, the operator's policies.  It reads no file but /etc/passwd line by line; policies it only passes on.
 */
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/monitor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	POLICY_FILE_MAX = 1 << 20,
	POLICIES_MAX = 16 << 20
};

/* As root the roles run under uids of their own: those of the users that
 * packaging/sysusers.d/nfo.conf makes, or, where there are none, these.  A uid
 * needs no name; nothing else uses this block ("NE", then the role). */
enum {
	UID_SERVER = 0x4e45ff01,
	UID_KEEPER = 0x4e45ff02,
	UID_RUNNER = 0x4e45ff03,
	UID_FETCHER = 0x4e45ff04
};

/* --- users -------------------------------------------------------------- */

/* From the file, not through NSS: nothing is loaded into the monitor. */
static uint32_t user_named(const char *name, uint32_t otherwise)
{
	FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *p;
	uint32_t uid = otherwise;

	if (!f)
		return otherwise;
	while ((p = fgetpwent(f)))
		if (!strcmp(p->pw_name, name) && p->pw_uid) {
			uid = p->pw_uid;
			break;
		}
	(void)fclose(f);
	return uid;
}

/* State that was made before the users were stays with the uid it has. */
static bool state_is_of(const char *state, uint32_t uid)
{
	char path[INIT_PATH_MAX + 16];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/server", state);
	return !lstat(path, &st) && st.st_uid == uid;
}

static void choose_users(struct monitor *m)
{
	bool old;

	if (geteuid())
		return;
	old = state_is_of(m->state, UID_SERVER);
	m->users.server = old ? UID_SERVER : user_named("nfo", UID_SERVER);
	m->users.keeper =
		old ? UID_KEEPER : user_named("nfo-keeper", UID_KEEPER);
	m->users.runner =
		old ? UID_RUNNER : user_named("nfo-runner", UID_RUNNER);
	m->users.fetcher =
		old ? UID_FETCHER : user_named("nfo-fetcher", UID_FETCHER);
}

/* --- the state directory ------------------------------------------------ */

/* Made when missing; ours alone. */
static int own_dir(const char *path, mode_t mode, uint32_t uid, struct err *e)
{
	struct stat st;

	if (mkdir(path, mode) && errno != EEXIST)
		return err_sys(e, errno, "%s", path);
	if (uid && chown(path, uid, uid))
		return err_sys(e, errno, "%s", path);
	if (lstat(path, &st) || !S_ISDIR(st.st_mode))
		return err_set(e, ERR_DENIED, "%s: not a directory", path);
	if (st.st_mode & 022)
		return err_set(e, ERR_DENIED,
			       "%s: others may write there (chmod go-w)", path);
	return 0;
}

static int take_lock(struct monitor *m, struct err *e)
{
	char path[INIT_PATH_MAX + 16], text[32] = "";

	(void)snprintf(path, sizeof(path), "%s/lock", m->state);
	m->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (m->lock < 0)
		return err_sys(e, errno, "%s", path);
	if (flock(m->lock, LOCK_EX | LOCK_NB)) {
		if (read(m->lock, text, sizeof(text) - 1) < 0)
			text[0] = '\0';
		text[strcspn(text, "\n")] = '\0';
		return err_set(e, ERR_CONFLICT,
			       "%s: another server runs on this state (pid %s)",
			       m->state, text);
	}
	(void)snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(m->lock, 0) || fd_write_all(m->lock, text, strlen(text)))
		return err_sys(e, errno, "%s", path);
	return 0;
}

/* The roles of root run under uids of their own, and those must be able to
 * pass every directory on the way to theirs. */
static int check_way(const struct monitor *m, struct err *e)
{
	char path[INIT_PATH_MAX + 1];
	struct stat st;

	memcpy(path, m->state, sizeof(path));
	for (char *slash = strrchr(path, '/'); slash && slash != path;
	     slash = strrchr(path, '/')) {
		*slash = '\0';
		if (stat(path, &st) || !(st.st_mode & 001))
			return err_set(e, ERR_DENIED,
				       "%s is closed to other users, and the "
				       "roles run as such: choose a --state "
				       "elsewhere, such as /var/lib/nfo",
				       path);
	}
	return 0;
}

static int make_parts(struct monitor *m, struct err *e)
{
	const struct {
		const char *name;
		mode_t mode;
		uint32_t uid;
	} dirs[] = {
		{"server",       0700, m->users.server},
		{"keeper",       0700, m->users.keeper},
		{"keeper/epoch", 0700, m->users.keeper},
		{"work",         0711, 0              },
		{"run",          0755, 0              },
	};
	char path[INIT_PATH_MAX + 32];

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", m->state,
			       dirs[i].name);
		if (own_dir(path, dirs[i].mode, dirs[i].uid, e))
			return -1;
	}
	return 0;
}

int setup_state(struct monitor *m, struct err *e)
{
	char real[PATH_MAX];

	if (!realpath(m->o.state, real))
		return err_sys(e, errno, "%s", m->o.state);
	if (strlen(real) > INIT_PATH_MAX)
		return err_set(e, ERR_LIMIT, "%s: too long", m->o.state);
	memcpy(m->state, real, strlen(real) + 1);
	choose_users(m);
	if (m->users.server && check_way(m, e))
		return -1;
	if (own_dir(m->state, 0711, 0, e) || take_lock(m, e))
		return -1;
	/* The roles of root reach their own parts below it. */
	if (m->users.server && chmod(m->state, 0711))
		return err_sys(e, errno, "%s", m->state);
	return make_parts(m, e);
}

/* --- policies ----------------------------------------------------------- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_policy(const struct dirent *ent)
{
	struct str s = str_from(ent->d_name);

	return s.p[0] != '.' && !str_has(s, ' ') &&
	       (str_ends(s, STR(".yaml")) || str_ends(s, STR(".json")) ||
		str_ends(s, STR(".toml")));
}

/* The files as they are, framed: "NAME LENGTH\n", bytes, "\n".  Others read
 * what is in them; we only make sure that nobody else may write them. */
static int add_policy(int dir, const char *name, struct buf *all, struct err *e)
{
	CLEANUP_BUF struct buf one = BUF_INIT(POLICY_FILE_MAX);
	struct stat st;

	if (fstatat(dir, name, &st, 0) || !S_ISREG(st.st_mode))
		return err_set(e, ERR_DENIED, "policy %s: not a file", name);
	if ((st.st_uid && st.st_uid != geteuid()) || st.st_mode & 022)
		return err_set(e, ERR_DENIED, "policy %s: others may change it",
			       name);
	if (fd_read_file(dir, name, &one, e))
		return -1;
	buf_printf(all, "%s %zu\n", name, one.len);
	buf_str(all, buf_view(&one));
	buf_putc(all, '\n');
	return all->failed ? err_set(e, ERR_LIMIT, "policies: too large") : 0;
}

static bool same_policies(const struct monitor *m, const struct buf *all)
{
	CLEANUP_BUF struct buf old = BUF_INIT(POLICIES_MAX);
	struct err e;

	return m->policies >= 0 && !fd_memfd_read(m->policies, &old, &e) &&
	       str_eq(buf_view(&old), buf_view(all));
}

int policies_read(const struct monitor *m, int *ret, bool *ret_changed,
		  struct err *e)
{
	CLEANUP_BUF struct buf all = BUF_INIT(POLICIES_MAX);
	CLEANUP_FD int dir =
		open(m->o.policy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **list;
	int n, fd, bad = 0;

	if (dir < 0)
		return err_sys(e, errno, "policies: %s", m->o.policy);
	n = scandirat(dir, ".", &list, is_policy, by_name);
	if (n < 0)
		return err_sys(e, errno, "policies: %s", m->o.policy);
	for (int i = 0; i < n; i++) {
		bad = bad || add_policy(dir, list[i]->d_name, &all, e);
		free(list[i]);
	}
	free(list);
	if (bad)
		return -1;
	fd = fd_memfd_sealed("policies", buf_view(&all), e);
	if (fd < 0)
		return -1;
	*ret_changed = !same_policies(m, &all);
	*ret = fd;
	return 0;
}
