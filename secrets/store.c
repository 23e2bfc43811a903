/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Making, unsealing and sealing the secret store; see store.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/mem.h"
#include "secrets/store_internal.h"

enum {
	SUFFIX_MAX = 16
};

struct path {
	char s[PATH_MAX];
};

static int path_with(const char *path, const char *suffix, struct path *ret,
		     struct err *e)
{
	size_t len = strlen(path), more = strlen(suffix);

	if (len + SUFFIX_MAX >= sizeof(ret->s))
		return err_set(e, ERR_INVALID, "the path is too long");
	memcpy(ret->s, path, len);
	memcpy(ret->s + len, suffix, more + 1);
	return 0;
}

/* --- one process at a time ----------------------------------------------- */

static int held_by_another(int fd, struct err *e)
{
	char text[32];
	uint64_t pid;
	ssize_t n = fd_read_full(fd, text, sizeof(text));
	struct str s = str_n(text, n > 0 ? (size_t)n : 0);

	if (str_to_u64(str_trim(s), INT_MAX, &pid))
		return err_set(e, ERR_CONFLICT,
			       "another process has the secret store");
	return err_set(e, ERR_CONFLICT,
		       "another process has the secret store: pid %d",
		       (int)pid);
}

static int take_lock(struct secret_store *s, const char *path, struct err *e)
{
	CLEANUP_FD int fd = -1;
	struct path lock;
	char pid[32];
	int n;

	if (path_with(path, ".lock", &lock, e))
		return -1;
	fd = open(lock.s, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, errno, "%s", lock.s);
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno == EWOULDBLOCK)
			return held_by_another(fd, e);
		return err_sys(e, errno, "%s", lock.s);
	}
	n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) || pwrite(fd, pid, (size_t)n, 0) != n)
		return err_sys(e, errno, "%s", lock.s);
	s->lock_fd = fd_take(&fd);
	return 0;
}

/* --- a store in memory --------------------------------------------------- */

static void store_cleanup(struct secret_store **s)
{
	secret_store_close(*s);
}

/* Locked, with its second directory and room for keys; nothing is open. */
static int prepare(const struct secret_store_opts *o, struct secret_store **ret,
		   struct err *e)
{
	struct secret_store *s CLEANUP(store_cleanup) = mem_alloc(sizeof(*s));

	s->lock_fd = s->epoch_dir_fd = -1;
	s->max_secrets = o->max_secrets ? o->max_secrets : SECRET_STORE_MAX;
	s->keep_versions =
		o->max_versions ? o->max_versions : SSTORE_KEEP_DEFAULT;
	if (s->keep_versions > SECRET_STORE_VERSIONS_MAX)
		return err_set(e, ERR_INVALID, "at most %d versions are kept",
			       SECRET_STORE_VERSIONS_MAX);
	s->epoch_dir_fd =
		open(o->epoch_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->epoch_dir_fd < 0)
		return err_sys(e, errno, "%s", o->epoch_dir);
	if (take_lock(s, o->path, e) || sstore_keys_new(s, e))
		return -1;
	*ret = s;
	s = NULL;
	return 0;
}

void secret_store_close(struct secret_store *s)
{
	if (!s)
		return;
	ssql_close(&s->sql);
	secret_free(s->keys_mem);
	fd_close(&s->epoch_dir_fd);
	fd_close(&s->lock_fd); /* last: then the next one may come */
	mem_wipe(s, sizeof(*s));
	mem_free(s);
}

/* --- making -------------------------------------------------------------- */

static int make_file(const char *path, struct err *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		      0600);

	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	fd_close(&fd);
	return 0;
}

static int sync_dir_of(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	CLEANUP_FD int fd = -1;
	struct path dir;

	if (path_with(path, "", &dir, e))
		return -1;
	dir.s[slash ? slash - path + 1 : 0] = 0;
	fd = open(slash ? dir.s : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		return err_sys(e, errno, "directory of %s", path);
	return 0;
}

/* The root key is made here; nobody knows it but the slot. */
static int fill(struct secret_store *s, const struct secret_opener *by,
		struct err *e)
{
	struct hash empty = hash_sha256("", 0);
	struct sstore_tx tx CLEANUP_TX = {0};

	random_bytes(s->uuid, sizeof(s->uuid));
	random_bytes(s->keys->root, sizeof(s->keys->root));
	s->created_us = clock_real_us();
	s->term = 1;
	for (size_t i = 0; i < SSTORE_BUCKETS; i++)
		s->buckets[i] = empty;
	if (sstore_keys_derive(s, e) || sstore_epoch_create(s, e) ||
	    sstore_tx_begin(s, &tx, e) || sstore_slot_add(s, 1, by, e))
		return -1;
	tx.making = tx.side = true;
	return sstore_tx_commit(&tx, e);
}

/*
 * Under another name until it is whole.  The epoch file says 0 until the store
 * is opened for the first time, so that a creation that died can be repeated.
 */
static int build(struct secret_store *s, const char *path,
		 const struct secret_opener *by, struct err *e)
{
	struct path made, journal;

	if (path_with(path, ".new", &made, e) ||
	    path_with(path, ".new-journal", &journal, e))
		return -1;
	(void)unlink(made.s);
	(void)unlink(journal.s);
	if (make_file(made.s, e) || ssql_create(&s->sql, made.s, e) ||
	    fill(s, by, e))
		return -1;
	ssql_close(&s->sql);
	if (rename(made.s, path))
		return err_sys(e, errno, "%s", path);
	return sync_dir_of(path, e);
}

int secret_store_create(const struct secret_store_opts *o,
			const struct secret_opener *by, struct err *e)
{
	struct secret_store *s CLEANUP(store_cleanup) = NULL;
	struct stat st;

	if (prepare(o, &s, e))
		return -1;
	if (!lstat(o->path, &st))
		return err_set(e, ERR_CONFLICT, "%s exists already", o->path);
	if (errno != ENOENT)
		return err_sys(e, errno, "%s", o->path);
	return build(s, o->path, by, e);
}

/* --- unsealing ----------------------------------------------------------- */

static int check_file(const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st)) {
		if (errno == ENOENT)
			return err_set(e, ERR_NOT_FOUND,
				       "there is no secret store %s", path);
		return err_sys(e, errno, "%s", path);
	}
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "%s is no regular file", path);
	return 0;
}

/* A manifest of the first format is written anew, with the slots in it. */
static int renew_manifest(struct secret_store *s, struct err *e)
{
	struct sstore_tx tx CLEANUP_TX = {0};

	if (s->format == SSTORE_MANIFEST)
		return 0;
	return sstore_tx_begin(s, &tx, e) || sstore_tx_commit(&tx, e) ? -1 : 0;
}

int secret_store_open(const struct secret_store_opts *o,
		      const struct secret_opener *by, size_t n_by,
		      struct secret_store **ret, struct err *e)
{
	struct secret_store *s CLEANUP(store_cleanup) = NULL;

	/* The order is the argument: nothing is believed before its key. */
	if (check_file(o->path, e) || prepare(o, &s, e) ||
	    ssql_open(&s->sql, o->path, e) || sstore_manifest_read(s, e) ||
	    sstore_slot_open(s, by, n_by, e) || sstore_keys_derive(s, e) ||
	    sstore_keyring_load(s, e) || sstore_manifest_load(s, e) ||
	    sstore_epoch_check(s, o->accept_rollback, e) ||
	    renew_manifest(s, e))
		return -1;
	*ret = s;
	s = NULL;
	return 0;
}

int secret_store_peek(const struct secret_store_opts *o,
		      struct secret_slot *ret, size_t *ret_n,
		      char ret_id[SECRET_STORE_ID_LEN + 1], struct err *e)
{
	struct secret_store *s CLEANUP(store_cleanup) = NULL;

	if (check_file(o->path, e) || prepare(o, &s, e) ||
	    ssql_open(&s->sql, o->path, e) || sstore_manifest_read(s, e) ||
	    sstore_slots_tell(s, ret, ret_n, e))
		return -1;
	secret_store_id(s, ret_id);
	return 0;
}

void secret_store_id(const struct secret_store *s,
		     char ret[SECRET_STORE_ID_LEN + 1])
{
	_Static_assert(2 * SSTORE_UUID_LEN == SECRET_STORE_ID_LEN, "in hex");
	hex_encode(s->uuid, SSTORE_UUID_LEN, ret);
}

void secret_store_status(struct secret_store *s,
			 struct secret_store_status *ret)
{
	uint64_t old = 0;
	struct err e;

	if (sstore_count_old(s, &old, &e))
		old = s->n_heads; /* what cannot be read is not done */
	*ret = (struct secret_store_status){
		.term = s->term,
		.epoch = s->epoch,
		.secrets = s->n_heads,
		.old = old,
		.epoch_stale = s->epoch_stale,
		.locked = secret_locked(s->keys_mem),
		.old_root = s->root_from != 0,
		.created_us = s->created_us,
	};
}
