/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The journal of open logins and leases; see journal.h. */
#include "vault/journal.h"

#include "base/crash.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/wire.h"
#include "secrets/crypto.h"
#include "vault/journal_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC   "nfoleas1"
#define NAME    "leases"
#define NAME_TO "leases.new"
#define BAD     "leases.bad"

enum {
	MAGIC_LEN = 8,
	ID_LEN = 16,
	HEAD_LEN = MAGIC_LEN + ID_LEN,
	FRAME_LEN = 4 + CRYPTO_XNONCE_LEN + CRYPTO_TAG_LEN
};

struct file {
	int fd; /* -1: none */
	unsigned char id[ID_LEN];
	uint64_t n; /* of records */
	int64_t len;
};

struct journal {
	int dir;
	struct secret *key;
	struct file now, next; /* next: while it is made anew */
	bool failed, lost;
};

/* --- one record ----------------------------------------------------------- */

struct aad {
	char b[MAGIC_LEN + ID_LEN + 8];
};

static struct str aad_of(const struct file *f, struct aad *a)
{
	memcpy(a->b, MAGIC, MAGIC_LEN);
	memcpy(a->b + MAGIC_LEN, f->id, ID_LEN);
	for (unsigned i = 0; i < 8; i++)
		a->b[HEAD_LEN + i] = (char)(f->n >> (8 * i) & 0xff);
	return str_n(a->b, sizeof(a->b));
}

/* The frame of w's bytes, as the next record of f. */
static int seal(const struct journal *j, const struct file *f,
		const struct wire_writer *w, struct buf *ret, struct err *e)
{
	unsigned char head[FRAME_LEN], *nonce = head + 4;
	struct aad a;
	char *text;

	for (unsigned i = 0; i < 4; i++)
		head[i] = (unsigned char)(w->len >> (8 * i));
	random_bytes(nonce, CRYPTO_XNONCE_LEN);
	text = buf_room(ret, FRAME_LEN + w->len);
	if (!text)
		return err_set(e, ERR_LIMIT, "a record is too long");
	if (crypto_xaes_seal(secret_bytes(j->key).bytes, nonce, aad_of(f, &a),
			     w->data, w->len, (unsigned char *)text + FRAME_LEN,
			     nonce + CRYPTO_XNONCE_LEN, e))
		return -1;
	memcpy(text, head, FRAME_LEN);
	buf_commit(ret, FRAME_LEN + w->len);
	return 0;
}

/* Returns 1 for a record, 0 for one that does not open. */
static int unseal(const struct journal *j, const struct file *f,
		  const unsigned char *frame, size_t len, unsigned char *out)
{
	const unsigned char *nonce = frame + 4;
	struct aad a;
	struct err e;

	return !crypto_xaes_open(secret_bytes(j->key).bytes, nonce,
				 aad_of(f, &a), frame + FRAME_LEN, len,
				 nonce + CRYPTO_XNONCE_LEN, out, &e);
}

/* --- reading -------------------------------------------------------------- */

static uint32_t length_at(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static bool tell(const struct journal *j, const struct file *f,
		 const unsigned char *frame, size_t len, journal_fn *fn,
		 void *ctx)
{
	static unsigned char room[JOURNAL_RECORD_MAX];
	struct secret *token = NULL;
	struct journal_record r;
	bool good;

	good = unseal(j, f, frame, len, room) &&
	       !journal_record_decode(room, len, &r, &token);
	if (good)
		fn(ctx, &r);
	secret_free(token);
	mem_wipe(room, len);
	return good;
}

/*
 * A length that cannot be is where it ends for us.  At the very end it, or a
 * record without its last bytes, is what a crash leaves.
 */
static size_t replay(const struct journal *j, struct file *f,
		     const unsigned char *p, size_t len, journal_fn *fn,
		     void *ctx)
{
	size_t lost = 0;

	while (len >= FRAME_LEN) {
		size_t n = length_at(p);

		if (n > JOURNAL_RECORD_MAX)
			return lost + 1;
		if (n > len - FRAME_LEN)
			break;
		/* The last may be half written; but when not even the first
		 * opens it is another key's. */
		if (!tell(j, f, p, n, fn, ctx) &&
		    (len > FRAME_LEN + n || !f->n))
			lost++;
		f->n++;
		p += FRAME_LEN + n;
		len -= FRAME_LEN + n;
	}
	return lost;
}

static int read_file(int dir, const char *name, struct buf *b, struct err *e)
{
	CLEANUP_FD int fd =
		openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, errno, "%s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INTERNAL, "%s is no file", name);
	return fd_read_buf(fd, b, e);
}

int journal_open(int dir, const struct secret *key, journal_fn *fn, void *ctx,
		 struct journal **ret, size_t *ret_lost, struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(JOURNAL_MAX);
	struct secret_view k = secret_bytes(key);
	const unsigned char *p;
	struct journal *j;

	if (k.n_bytes != JOURNAL_KEY_LEN)
		return err_set(e, ERR_INTERNAL, "no key of the journal's");
	if (read_file(dir, NAME, &b, e))
		return -1;
	j = mem_alloc(sizeof(*j));
	j->dir = dir;
	j->now.fd = j->next.fd = -1;
	j->failed = true; /* until it is made anew */
	if (secret_new(k.bytes, k.n_bytes, SECRET_WIPE_ON_FORK, &j->key, e)) {
		mem_free(j);
		return -1;
	}
	*ret_lost = 0;
	p = (const unsigned char *)b.data;
	if (b.len >= HEAD_LEN && !memcmp(p, MAGIC, MAGIC_LEN)) {
		memcpy(j->now.id, p + MAGIC_LEN, ID_LEN);
		*ret_lost = replay(j, &j->now, p + HEAD_LEN, b.len - HEAD_LEN,
				   fn, ctx);
	} else if (b.len) {
		*ret_lost = 1;
	}
	j->lost = *ret_lost > 0;
	*ret = j;
	return 0;
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	fd_close(&j->now.fd);
	fd_close(&j->next.fd);
	secret_free(j->key);
	mem_free(j);
}

/* --- writing -------------------------------------------------------------- */

/* The record is written, or the file is as it was. */
static int add(struct journal *j, struct file *f, const struct wire_writer *w,
	       struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(FRAME_LEN + JOURNAL_RECORD_MAX);

	if (seal(j, f, w, &b, e))
		return -1;
	if (fd_write_all(f->fd, b.data, b.len)) {
		err_sys(e, errno, "the journal of leases");
		if (ftruncate(f->fd, f->len) ||
		    lseek(f->fd, f->len, SEEK_SET) < 0)
			j->failed = true;
		return -1;
	}
	f->n++;
	f->len += (int64_t)b.len;
	return 0;
}

int journal_append(struct journal *j, const struct journal_record *r, bool sync,
		   struct err *e)
{
	struct file *f = j->next.fd >= 0 ? &j->next : &j->now;
	struct wire_writer w = {.len = 0};
	int bad;

	if (j->next.fd < 0 && j->failed)
		return err_set(e, ERR_INTERNAL,
			       "the journal of leases cannot be written");
	bad = journal_record_encode(r, &w, e) || add(j, f, &w, e);
	mem_wipe(w.data, w.len);
	if (bad && f == &j->next)
		fd_close(&j->next.fd); /* what comes goes to the old one */
	if (bad)
		return -1;
	CRASH_POINT("keeper.journal-written");
	/* What the disk has after this fails is not known. */
	if (sync && f == &j->now && fdatasync(f->fd)) {
		j->failed = true;
		return err_sys(e, errno, "the journal of leases");
	}
	CRASH_POINT("keeper.journal-synced");
	return 0;
}

int journal_renew(struct journal *j, struct err *e)
{
	char head[HEAD_LEN];
	int fd;

	fd_close(&j->next.fd);
	(void)unlinkat(j->dir, NAME_TO, 0);
	fd = openat(j->dir, NAME_TO,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, errno, NAME_TO);
	j->next = (struct file){.fd = fd, .len = HEAD_LEN};
	random_bytes(j->next.id, ID_LEN);
	memcpy(head, MAGIC, MAGIC_LEN);
	memcpy(head + MAGIC_LEN, j->next.id, ID_LEN);
	if (!fd_write_all(fd, head, HEAD_LEN))
		return 0;
	err_sys(e, errno, NAME_TO);
	fd_close(&j->next.fd);
	return -1;
}

/* What did not open stays for somebody to look at. */
static int keep_bad(struct journal *j)
{
	if (!j->lost)
		return 0;
	(void)unlinkat(j->dir, BAD, 0);
	return linkat(j->dir, NAME, j->dir, BAD, 0);
}

int journal_renewed(struct journal *j, struct err *e)
{
	if (fsync(j->next.fd) || keep_bad(j) ||
	    renameat(j->dir, NAME_TO, j->dir, NAME)) {
		err_sys(e, errno, "the journal of leases");
		fd_close(&j->next.fd);
		return -1;
	}
	/* Whatever the disk has after a crash now, this is the file. */
	fd_close(&j->now.fd);
	j->now = j->next;
	j->next.fd = -1;
	j->lost = false;
	j->failed = fsync(j->dir) != 0;
	return j->failed ? err_sys(e, errno, "the journal of leases") : 0;
}

size_t journal_records(const struct journal *j)
{
	return (size_t)j->now.n;
}

bool journal_failed(const struct journal *j)
{
	return j->failed;
}
