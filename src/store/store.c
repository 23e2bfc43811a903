/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Opening, checking and closing the store, its lock and its ballast. */
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	/* A database of this size is checked in well under a second.  A larger
	 * one would keep its server away for seconds after each crash, which
	 * the write-ahead log is made for; what is read is looked at anyway
	 * (cell_size_check), and each backup is checked whole. */
	CHECK_BYTES = 64 << 20
};

/* A lock of our own: SQLite's own ones do not keep a second writer out. */
static int take_lock(struct store *s, struct err *e)
{
	s->lock_fd = openat(s->dir_fd, "nfo.lock",
			    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return err_sys(e, errno, "nfo.lock");
	if (!flock(s->lock_fd, LOCK_EX | LOCK_NB))
		return 0;
	if (errno == EWOULDBLOCK)
		return err_set(e, ERR_CONFLICT,
			       "another server uses this state directory");
	return err_sys(e, errno, "lock nfo.lock");
}

static int quick_check(struct store *s, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct str said;
	int r;

	if (query_text(&s->db, "PRAGMA quick_check(1)", &q, e))
		return -1;
	r = query_step(&q, e);
	if (r < 0)
		return -1;
	said = r ? query_get_str(&q) : STR("no answer");
	if (str_is(said, "ok"))
		return 0;
	return err_set(e, ERR_INVALID, "the database is damaged: " STR_FMT,
		       STR_ARG(said));
}

static bool must_check(const struct store *s)
{
	struct stat db;

	return !fstatat(s->dir_fd, "nfo.db", &db, AT_SYMLINK_NOFOLLOW) &&
	       db.st_size <= CHECK_BYTES;
}

static int open_db(struct store *s, struct err *e)
{
	bool check = must_check(s);
	mode_t old = umask(0077);
	int r = db_open(s->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
			&s->db, e);

	/* the first use makes the files, so the mask is on until then */
	r = r || (check && quick_check(s, e)) ||
	    db_exec(&s->db,
		    "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;"
		    "PRAGMA temp_store=MEMORY;PRAGMA cell_size_check=ON",
		    e) ||
	    db_migrate(&s->db, e);
	umask(old);
	if (!r)
		return 0;
	if (e && e->code == ERR_INVALID && strstr(e->text, "damaged"))
		return err_wrap(e,
				"%s (restore a backup, or move it away to "
				"start anew)",
				s->path);
	return err_wrap(e, "%s", s->path);
}

int store_open(const char *dir, struct store **ret, struct err *e)
{
	struct store *s = mem_alloc(sizeof(*s));
	struct buf path CLEANUP_BUF = BUF_INIT(4096);
	struct err full;

	s->lock_fd = s->ballast_fd = -1;
	s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0) {
		err_sys(e, errno, "%s", dir);
		goto fail;
	}
	if (!buf_printf(&path, "%s/nfo.db", dir)) {
		err_set(e, ERR_INVALID, "the state directory's name is long");
		goto fail;
	}
	s->path = buf_take(&path);
	if (take_lock(s, e) || open_db(s, e))
		goto fail;
	if (store_ballast_make(s, &full))
		log_warn("no ballast for a full disk: %s", full.text);
	*ret = s;
	return 0;
fail:
	store_close(s);
	return -1;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->db.lite)
		store_rollback(s);
	db_close(&s->db);
	fd_close(&s->ballast_fd);
	fd_close(&s->lock_fd);
	fd_close(&s->dir_fd);
	mem_free(s->path);
	mem_free(s);
}

const char *store_path(const struct store *s)
{
	return s->path;
}

/* --- the ballast -------------------------------------------------------- */

bool store_ballast_held(const struct store *s)
{
	return s->ballast_fd >= 0;
}

bool store_ballast_drop(struct store *s)
{
	if (s->ballast_fd < 0)
		return false;
	if (ftruncate(s->ballast_fd, 0))
		return false;
	fd_close(&s->ballast_fd);
	return true;
}

int store_ballast_make(struct store *s, struct err *e)
{
	int fd CLEANUP_FD = -1;
	struct statvfs vfs;
	struct stat st;
	int r;

	if (s->ballast_fd >= 0)
		return 0;
	fd = openat(s->dir_fd, "ballast",
		    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fstat(fd, &st) || fstatvfs(fd, &vfs))
		return err_sys(e, errno, "ballast");
	if (st.st_blocks < STORE_BALLAST / 512) {
		/* some room beyond it, or the next commit takes it again */
		if ((uint64_t)vfs.f_bavail * vfs.f_frsize <
		    2ull * STORE_BALLAST)
			return err_sys(e, ENOSPC, "ballast");
		r = posix_fallocate(fd, 0, STORE_BALLAST);
		if (r) {
			/* what was allocated stays: the next try goes on */
			return err_sys(e, r, "ballast");
		}
	}
	s->ballast_fd = fd_take(&fd);
	return 0;
}
