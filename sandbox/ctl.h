/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The control socket of a sandbox: who holds it says GO and hears how it ends.
 * PID 1 reads from it only after it has lost every privilege.  Messages are
 * those of base/chan.h.
 */
#pragma once

#include "base/chan.h"
#include <sys/resource.h>

enum ctl_type {
	/* to PID 1 */
	CTL_GO = 1,  /* fd 0,1,2: stdio; fd 3: memfd of argv and env (ctl.c);
		       what follows becomes the payload's 3, 4, ... */
	CTL_TERM,    /* SIGTERM to the payload's process group */
	CTL_OPEN,    /* flags u8 (CTL_OPEN_*), path str; after EXITED */
	CTL_UNPACK,  /* below str (a directory made for it, "" for /work), mode
		       u8 (1: read-only files); fd 0: plain tar; before GO */
	CTL_LEAVE,   /* when the payload has ended: no OPEN will come */
	CTL_REPLACE, /* name str; fd 0: sealed memfd: a secret's file has this
			in it from now on, all at once; answered */
	/* from PID 1 */
	CTL_STARTED,     /* the payload's program was executed */
	CTL_EXEC_FAILED, /* step str, sys u32 */
	CTL_EXITED,      /* status u32 (wait(2)), cpu_us u64 */
	CTL_OPENED,      /* sys u32; 0: fd 0 */
	CTL_UNPACKED,    /* 0: done, else text str */
	CTL_REPLACED,    /* sys u32; 0: done */
	CTL_DISK_FULL,   /* /work holds more than it may: EXITED follows */
};

enum {
	CTL_PATH_MAX = 4095,
	CTL_BELOW_MAX = 255,
	CTL_STDIO = 4,
	CTL_PASS_MAX = CHAN_FDS_MAX - CTL_STDIO
};

struct ctl_exit {
	int status; /* as of wait(2) */
	uint64_t cpu_us;
};

/*
 * GO.  argv and env are NULL-terminated; the three descriptors stay the
 * caller's.  ERR_LIMIT when argv and env are over 2 MiB.
 */
MUST_USE int ctl_go(int ctl, char *const *argv, char *const *env,
		    const int stdio[3], struct err *e);
/* The same, and the payload inherits n_pass (at most CTL_PASS_MAX) more
 * descriptors, from number 3 on; none is a directory. */
MUST_USE int ctl_go_pass(int ctl, char *const *argv, char *const *env,
			 const int stdio[3], const int *pass, size_t n_pass,
			 struct err *e);
MUST_USE int ctl_term(int ctl, struct err *e);
/* PID 1 need not wait for its end: after EXITED it leaves by itself. */
MUST_USE int ctl_leave(int ctl, struct err *e);
enum {
	CTL_OPEN_DIRECTORY = 1,
	CTL_OPEN_OUTPUTS = 2,
	CTL_OPEN_LINK = 4 /* the link itself, to be read; and nothing else */
};
/* Blocking: open below /work, or below the outputs. */
MUST_USE int ctl_open(int ctl, const char *path, unsigned flags, int *ret_fd,
		      struct err *e);
/* Blocking. */
MUST_USE int ctl_unpack(int ctl, const char *below, bool read_only, int tar_fd,
			struct err *e);

/* At any time: the answer, CTL_REPLACED, comes with the others.  name: as one of
 * sandbox_make's, or of another field beside it. */
MUST_USE int ctl_replace(int ctl, const char *name, int memfd, struct err *e);

/* For PID 1: the memfd of GO back into vectors (one allocation each). */
struct ctl_exec {
	char *text; /* all strings, to be wiped */
	size_t text_len;
	char **argv, **env;
};
MUST_USE int ctl_exec_read(int memfd, struct ctl_exec *ret, struct err *e);
/* For PID 1 and tests: a path of ctl_open is relative and clean. */
bool ctl_path_ok(struct str path);
/* The bodies of OPEN and UNPACK; the strings are borrowed from msg. */
struct ctl_open_body {
	bool directory;
	struct str path;
};
struct ctl_unpack_body {
	struct str below;
	bool read_only;
};
MUST_USE int ctl_open_read(const struct chan_msg *msg,
			   struct ctl_open_body *ret);
MUST_USE int ctl_unpack_read(const struct chan_msg *msg,
			     struct ctl_unpack_body *ret);
/* "NAME" or "NAME/FIELD", each [A-Za-z0-9._-]+ without a leading dot. */
struct ctl_replace_body {
	struct str dir, file; /* dir "": none */
};
MUST_USE int ctl_replace_read(const struct chan_msg *msg,
			      struct ctl_replace_body *ret);
