/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Run one program confined.  Knows nothing of jobs, HTTP or Vault; another
 * program can use it.
 *
 *   sandbox_host_new    once: the template mount namespace, cgroups, profiles
 *   sandbox_launch      one sandbox: PREPARE and FINISH; PID 1 waits, bare of
 *                       every privilege, for GO on its control socket (ctl.h)
 *   sandbox_kill, sandbox_reap    its end, and what it used
 *
 * The host process is single-threaded, and what it executes afterwards has no
 * capability (its bounding set is empty).  It is root, or an ordinary user: then
 * it lives in a user namespace of its own, and each sandbox in another.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include <stdint.h>
#include <sys/types.h>

enum {
	SANDBOX_ROOTS_MAX = 16,
	SANDBOX_BINDS_MAX = 16,
	SANDBOX_FILES_MAX = 64,
	SANDBOX_NAME_MAX = 127,
	SANDBOX_FDS_MAX = 2 + SANDBOX_FILES_MAX,
};

/* Where things are inside. */
#define SANDBOX_WORK    "/work"
#define SANDBOX_CONTROL "/run/nfo"
#define SANDBOX_SECRETS "/run/nfo/secrets"

enum sandbox_cgroups {
	CGROUPS_REQUIRE,
	CGROUPS_PREFER,
	CGROUPS_NONE
};

/* A directory of the host that sandboxes may be given parts of; opened once,
 * at the start. */
struct sandbox_root {
	const char *path;
	bool writable;
};

struct sandbox_host_opts {
	const struct sandbox_root *roots;
	size_t n_roots;
	enum sandbox_cgroups cgroups;
	uint32_t uid_base;       /* root only: a sandbox's uid is base + slot */
	const char *profile_dir; /* NULL: the built-in profiles */
	/* Without Landlock a host is refused, unless this says otherwise. */
	bool allow_no_landlock;
};

/* The uids that are used when nothing else is said. */
enum {
	SANDBOX_UID_BASE = 0x4e460000
}; /* "NF" */

struct sandbox_host;

MUST_USE int sandbox_host_new(const struct sandbox_host_opts *opts,
			      struct sandbox_host **ret, struct err *e);
void sandbox_host_free(struct sandbox_host *h);
bool sandbox_host_rootless(const struct sandbox_host *h);
bool sandbox_host_landlock(const struct sandbox_host *h);
/* A directory fd of root i as the host process sees it now. */
int sandbox_host_root_fd(const struct sandbox_host *h, size_t i);
bool sandbox_host_has_profile(const struct sandbox_host *h, const char *name);

enum sandbox_network {
	SANDBOX_NET_NONE,
	SANDBOX_NET_HOST
};

struct sandbox_bind {
	uint32_t root;                   /* index into the roots */
	char path[SANDBOX_NAME_MAX + 1]; /* below it; "" for itself */
	/* Absolute, inside; it must exist there, through no link.  Not /,
	 * nor anything in /proc, /dev, /run. */
	char to[SANDBOX_NAME_MAX + 1];
	bool read_only;
};

/* Bytes, counts, thousandths of a CPU; 0: none asked.  file_bytes is how large
 * a file may get, and how much a /work on disk may hold (disk.h). */
struct sandbox_limits {
	uint64_t memory_bytes, file_bytes, tmp_bytes;
	uint32_t pids, cpu_milli, open_files;
};

/* One sandbox.  Plain data: it is copied between processes. */
struct sandbox_spec {
	char profile[64];
	uint32_t uid_slot; /* root only; the caller keeps slots apart */
	enum sandbox_network network;
	struct sandbox_limits limits;
	bool work_in_memory; /* else bind 0 goes to /work */
	uint64_t work_bytes; /* of a /work in memory */
	struct sandbox_bind binds[SANDBOX_BINDS_MAX];
	uint32_t n_binds;
	/* Files of mode 0400 on a tmpfs at SANDBOX_SECRETS; "a" or "a/b". */
	char secrets[SANDBOX_FILES_MAX][SANDBOX_NAME_MAX + 1];
	uint32_t n_secrets;
	char hostname[65];
};

/* Bits for limits that this machine does not enforce. */
enum {
	SANDBOX_NO_MEMORY = 1,
	SANDBOX_NO_PIDS = 2,
	SANDBOX_NO_CPU = 4,
	SANDBOX_NO_DISK = 8,
	SANDBOX_NO_SWAP = 16,
};

struct sandbox {
	pid_t pid;
	int pidfd;
	int ctl;    /* to PID 1; may be handed to another process (ctl.h) */
	int script; /* writable: SANDBOX_CONTROL/script */
	int secrets[SANDBOX_FILES_MAX]; /* writable, in the order asked for */
	uint32_t n_secrets;
	uint32_t not_enforced;
	int alive; /* the parent's socket: closing it ends PID 1 */
	struct cgroup_slot *slot; /* opaque */
};

struct sandbox_usage {
	uint64_t cpu_us, memory_peak_bytes;
	uint32_t pids_peak;
	bool oom;
	int wait_status; /* of PID 1 */
};

/*
 * Prepare and finish one sandbox; its PID 1 then waits for GO.  e->text names
 * the step that was refused.  The caller owns *ret (sandbox_reap).
 */
MUST_USE int sandbox_launch(struct sandbox_host *h,
			    const struct sandbox_spec *spec,
			    struct sandbox *ret, struct err *e);
/* The same with GO (ctl.h) said at once, for who has nothing to write into the
 * sandbox before: nobody waits for READY. */
struct sandbox_go {
	char *const *argv, *const *env;
	int stdio[3];
};
MUST_USE int sandbox_launch_now(struct sandbox_host *h,
				const struct sandbox_spec *spec,
				const struct sandbox_go *go,
				struct sandbox *ret, struct err *e);
/* SIGKILL to PID 1, which ends everything in its pid namespace. */
void sandbox_kill(struct sandbox *s);
/* Wait for PID 1 (after sandbox_kill or its own end), read the counters, give
 * everything back.  Closes what is left of the descriptors. */
void sandbox_reap(struct sandbox_host *h, struct sandbox *s,
		  struct sandbox_usage *ret);

/* `nfo sandbox` and `nfo doctor`: argv[0] is the verb. */
int sandbox_command(int argc, char **argv);
int sandbox_doctor_command(int argc, char **argv);
