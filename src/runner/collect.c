/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What a task leaves behind: outputs and artifacts, opened by PID 1 as the
 * task itself, looked at before a byte is copied: a regular file with one
 * name, not too large, and without a secret in it.
 */
#include "base/fd.h"
#include "base/hex.h"
#include "base/tar.h"
#include "runner/glob.h"
#include "runner/internal.h"
#include "runner/look.h"
#include "sandbox/ctl.h"
#include "secrets/private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	COPY_BLOCK = 65536
};

static int open_inside(void *ctx, const char *path, bool directory)
{
	struct run *r = ctx;
	struct err e;
	int fd;

	return ctl_open(r->ctl, path, directory ? CTL_OPEN_DIRECTORY : 0, &fd,
			&e) ?
		       -1 :
		       fd;
}

/* A regular file with one name; -1 with what it is instead. */
static int open_file(struct run *r, const char *path, unsigned flags,
		     struct stat *st, const char **why)
{
	struct err e;
	int fd = -1;

	if (ctl_open(r->ctl, path, flags, &fd, &e))
		fd = -1;

	*why = fd < 0 ? (errno == ELOOP  ? "a symbolic link" :
			 errno == EXDEV  ? "leads out of the workspace" :
			 errno == ENOENT ? "is not there" :
			 errno == EINVAL ? "leads out of the workspace" :
					   strerror(errno)) :
			NULL;
	if (fd < 0)
		return -1;
	if (fstat(fd, st) || !S_ISREG(st->st_mode))
		*why = "is not a regular file";
	else if (st->st_nlink != 1)
		*why = "has several names (hard links)";
	if (*why)
		fd_close(&fd);
	return fd;
}

/* --- outputs ------------------------------------------------------------ */

static bool fits_pattern(struct str pattern, struct str s)
{
	CLEANUP_BUF struct buf whole = BUF_INIT(2000);
	CLEANUP_MEM char *text = mem_strndup(s.p, s.len);
	regex_t re;
	bool fits;

	if (!pattern.len)
		return true;
	buf_puts(&whole, "^(");
	buf_str(&whole, pattern);
	buf_puts(&whole, ")$");
	if (whole.failed || str_has(s, '\n') ||
	    regcomp(&re, buf_cstr(&whole), REG_EXTENDED | REG_NOSUB))
		return false;
	fits = !regexec(&re, text, 0, NULL, 0);
	regfree(&re);
	return fits;
}

static bool fits_type(uint8_t type, struct str s)
{
	CLEANUP_MEM struct problems *ps = NULL;
	struct doc *d;
	int64_t i;
	bool ok;

	switch (type) {
	case TYPE_INT:
		return !str_to_i64(s, INT64_MIN, INT64_MAX, &i);
	case TYPE_BOOL:
		return str_is(s, "true") || str_is(s, "false");
	case TYPE_LIST:
	case TYPE_JSON:
		ps = mem_alloc(sizeof(*ps));
		if (doc_parse(s, DOC_JSON, &d, ps))
			return false;
		ok = type == TYPE_JSON || d->root->kind == DOC_LIST;
		doc_free(d);
		return ok;
	default:
		return str_utf8_valid(s);
	}
}

/* One line end at the end belongs to the tool that wrote it. */
static struct str chomp(struct str s)
{
	if (s.len && s.p[s.len - 1] == '\n')
		s.len--;
	return s;
}

static int leaks(struct run *r, const char *what, struct str name, int secret,
		 const char *hint)
{
	return run_fail(r, KIND_LEAK, hint,
			"%s \"" STR_FMT "\" holds secret \"" STR_FMT "\"", what,
			STR_ARG(name), STR_ARG(r->a->secrets[secret].name));
}

static int keep_output(struct run *r, const struct job_output *o, struct str v)
{
	struct job_result_output *out = &r->outputs[r->result.n_outputs];
	struct redacted_str clean = {0};
	int secret = mask_clear(&r->mask, v, &clean);
	char *room;

	if (secret >= 0)
		return leaks(r, "output", o->name, secret, "");
	room = arena_alloc(r->result.arena, v.len + 1);
	if (!room)
		return run_fail(r, KIND_OUTPUT, "",
				"the outputs are too large together");
	out->name = o->name;
	out->value = redacted_copy(room, clean);
	r->result.n_outputs++;
	return 0;
}

static int take_output(struct run *r, const struct job_output *o)
{
	struct buf b = BUF_INIT(o->max_bytes + 1);
	char path[80];
	CLEANUP_FD int fd = -1;
	const char *why;
	struct stat st;
	struct str v;
	struct err e;
	int bad = 0;

	(void)snprintf(path, sizeof(path), STR_FMT, STR_ARG(o->name));
	fd = open_file(r, path, CTL_OPEN_OUTPUTS, &st, &why);
	if (fd < 0)
		return run_fail(
			r, KIND_OUTPUT, "write it to \"$NFO_OUTPUT/NAME\"",
			"output \"" STR_FMT "\" %s", STR_ARG(o->name), why);
	if (fd_read_buf(fd, &b, &e)) {
		buf_done(&b);
		return run_fail(r, KIND_OUTPUT, "",
				"output \"" STR_FMT "\": over %" PRIu32
				" bytes",
				STR_ARG(o->name), o->max_bytes);
	}
	v = chomp(buf_view(&b));
	if (!fits_type(o->type, v) || !fits_pattern(o->pattern, v))
		bad = run_fail(r, KIND_OUTPUT, "see `outputs` of the task",
			       "output \"" STR_FMT "\" has the wrong type or "
			       "does not match its pattern",
			       STR_ARG(o->name));
	else
		bad = keep_output(r, o, v);
	buf_wipe(&b);
	return bad;
}

/* --- artifacts ---------------------------------------------------------- */

struct copy {
	struct run *r;
	const struct job_artifact *x;
	int to;
	struct hash_ctx *hash;
	struct look look;
	struct private_seal *seal; /* NULL: not private */
	uint64_t bytes, max;       /* of the task's */
	uint64_t stored;
};

static int store(void *ctx, const void *p, size_t len, struct err *e)
{
	struct copy *c = ctx;

	hash_update(c->hash, p, len);
	c->stored += len;
	return fd_write_all(c->to, p, len) ? err_sys(e, errno, "staging") : 0;
}

static int put(struct copy *c, const void *p, size_t len)
{
	struct err e;

	c->bytes += len;
	if (c->bytes > c->max)
		return run_fail(c->r, KIND_ARTIFACT, "max: of the artifact",
				"artifact \"" STR_FMT "\": over %" PRIu64
				" bytes",
				STR_ARG(c->x->name), c->max);
	switch (look_write(&c->look, p, len, &e)) {
	case 0:
		break;
	case 1:
		return leaks(c->r, "artifact", c->x->name, c->look.secret,
			     "allow_secret: true");
	default:
		return run_fail(c->r, KIND_LEAK, "allow_secret: true",
				"artifact \"" STR_FMT "\" cannot be looked "
				"through: %s",
				STR_ARG(c->x->name), e.text);
	}
	if (c->seal ? private_seal_put(c->seal, p, len, &e) :
		      store(c, p, len, &e))
		return run_fail(c->r, KIND_ARTIFACT, "",
				"artifact \"" STR_FMT "\": %s",
				STR_ARG(c->x->name), e.text);
	return 0;
}

static int put_end(struct copy *c)
{
	struct err e;

	return c->seal && private_seal_end(c->seal, &e) ?
		       run_fail(c->r, KIND_ARTIFACT, "",
				"artifact \"" STR_FMT "\": %s",
				STR_ARG(c->x->name), e.text) :
		       0;
}

/* Exactly len bytes: a file that shrinks meanwhile is refused. */
static int put_file(struct copy *c, int fd, uint64_t len, const char *path)
{
	CLEANUP_MEM char *block = mem_alloc(COPY_BLOCK);

	while (len) {
		ssize_t n = fd_read(
			fd, block, len < COPY_BLOCK ? (size_t)len : COPY_BLOCK);

		if (n <= 0)
			return run_fail(c->r, KIND_ARTIFACT, "",
					"artifact \"" STR_FMT "\": %s changed "
					"while it was read",
					STR_ARG(c->x->name), path);
		if (put(c, block, (size_t)n))
			return -1;
		len -= (uint64_t)n;
	}
	return 0;
}

static int put_one(struct copy *c, const char *path, bool in_tar)
{
	CLEANUP_BUF struct buf head = BUF_INIT(8192), pad = BUF_INIT(1024);
	CLEANUP_FD int fd = -1;
	struct tar_entry t = {.type = TAR_FILE};
	const char *why;
	struct stat st;

	fd = open_file(c->r, path, 0, &st, &why);
	if (fd < 0)
		return run_fail(c->r, KIND_ARTIFACT, "",
				"artifact \"" STR_FMT "\": %s %s",
				STR_ARG(c->x->name), path, why);
	t.path = str_from(path);
	t.size = (uint64_t)st.st_size;
	t.mode = st.st_mode & 0111 ? 0755 : 0644;
	if (!in_tar)
		return put_file(c, fd, t.size, path);
	tar_header(&head, &t);
	tar_pad(&pad, t.size);
	return put(c, head.data, head.len) || put_file(c, fd, t.size, path) ||
			       put(c, pad.data, pad.len) ?
		       -1 :
		       0;
}

static int put_tar(struct copy *c, const struct glob_list *list)
{
	CLEANUP_BUF struct buf end = BUF_INIT(2048);

	for (size_t i = 0; i < list->n; i++)
		if (put_one(c, list->paths[i], true))
			return -1;
	tar_end(&end);
	return put(c, end.data, end.len);
}

/* What to offer it as: its last name, or NAME.tar.  No file may be called as
 * a secret, whatever may be in it. */
static int offer(struct run *r, const struct job_artifact *x, bool tar,
		 const char *path, struct redacted_str *ret)
{
	CLEANUP_BUF struct buf b = BUF_INIT(255);
	const char *slash = strrchr(path, '/');
	struct redacted_str clean = {0};
	char *room;
	int secret;

	if (tar) {
		buf_str(&b, x->name);
		buf_puts(&b, ".tar");
	} else {
		buf_puts(&b, slash ? slash + 1 : path);
	}
	if (!b.len || b.data[0] == '.' || b.failed) {
		buf_reset(&b);
		buf_str(&b, x->name);
	}
	secret = mask_clear(&r->mask, buf_view(&b), &clean);
	if (secret >= 0)
		return leaks(r, "the file name of artifact", x->name, secret,
			     "");
	room = arena_alloc(r->result.arena, b.len + 1);
	if (!room)
		return run_fail(r, KIND_ARTIFACT, "",
				"the names are too long together");
	*ret = redacted_copy(room, clean);
	return 0;
}

static void record(struct run *r, struct str name, struct redacted_str file,
		   const char *staged, uint64_t size, const struct hash *h)
{
	struct job_result_artifact *a = &r->artifacts[r->result.n_artifacts++];

	a->name = name;
	a->file = file;
	a->staged =
		str_n(arena_strndup(r->result.arena, staged, strlen(staged)),
		      strlen(staged));
	a->size = size;
	hash_hex(h, a->sha256);
}

static int keep(struct run *r, const struct job_artifact *x,
		const struct glob_list *list)
{
	bool tar = x->many || list->n > 1;
	struct copy c = {.r = r, .x = x, .to = -1};
	struct redacted_str file = {0};
	char staged[96];
	struct hash h;
	int bad;

	(void)snprintf(staged, sizeof(staged), "a-" STR_FMT, STR_ARG(x->name));
	c.to = openat(r->fds[LAUNCH_STAGING], staged,
		      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		      0640);
	if (c.to < 0)
		return run_fail(r, KIND_ARTIFACT, "", "staging: %s",
				strerror(errno));
	c.max = x->max_bytes && x->max_bytes < RUNNER_ARTIFACT_MAX ?
			x->max_bytes :
			RUNNER_ARTIFACT_MAX;
	c.hash = hash_begin();
	look_begin(&c.look, x->allow_secret || x->is_private ? NULL : &r->mask);
	if (x->is_private)
		c.seal = private_seal_new(r->run_key, str_from(r->g->who.run.s),
					  store, &c);
	bad = offer(r, x, tar, list->paths[0], &file) ||
	      (tar ? put_tar(&c, list) : put_one(&c, list->paths[0], false)) ||
	      put_end(&c);
	h = hash_end(c.hash);
	look_done(&c.look);
	private_seal_free(c.seal);
	if (!bad)
		record(r, x->name, file, staged, c.stored, &h);
	fd_close(&c.to);
	return bad ? -1 : 0;
}

static int take_artifact(struct run *r, const struct job_artifact *x)
{
	struct glob_list list = {0};
	struct err e;
	int bad = 0;

	for (size_t i = 0; !bad && i < x->n_paths; i++)
		if (glob_match(open_inside, r, x->paths[i], &list, &e))
			bad = run_fail(r, KIND_ARTIFACT, "",
				       "artifact \"" STR_FMT "\": %s",
				       STR_ARG(x->name), e.text);
	glob_sort(&list);
	if (!bad && list.n)
		bad = keep(r, x, &list);
	else if (!bad && !x->optional)
		bad = run_fail(r, KIND_ARTIFACT,
			       "optional: true, if it may be missing",
			       "artifact \"" STR_FMT "\": nothing matches",
			       STR_ARG(x->name));
	glob_done(&list);
	return bad;
}

static void take_stdout(struct run *r)
{
	CLEANUP_FD int fd = -1;
	struct hash h;
	uint64_t len;

	if (!r->a->stdout_artifact.len || r->leaked)
		return;
	fd = openat(r->fds[LAUNCH_STAGING], "stdout",
		    O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && !hash_fd(fd, &h, &len))
		record(r, r->a->stdout_artifact,
		       fetch_clean(r, r->a->stdout_file), "stdout", len, &h);
}

void collect(struct run *r)
{
	bool ok = r->result.state == STATE_SUCCEEDED;

	for (size_t i = 0; ok && i < r->a->n_outputs; i++)
		if (take_output(r, &r->a->outputs[i]))
			break;
	if (ok)
		take_stdout(r);
	for (size_t i = 0; i < r->a->n_artifacts; i++) {
		const struct job_artifact *x = &r->a->artifacts[i];
		uint8_t now = r->result.state == STATE_SUCCEEDED ?
				      WHEN_SUCCEEDED :
				      WHEN_FAILED;

		if (r->result.n_artifacts + 2 < RESULT_LIST_MAX &&
		    x->when & now && take_artifact(r, x))
			break;
	}
}
