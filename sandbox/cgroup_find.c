/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Which hierarchies of control groups may be used, and what dead hosts left in
 * them; see cgroup_own.h.
 */
#include "base/fd.h"
#include "sandbox/cgroup_own.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum {
	ORPHAN_S = 60 /* before a group of another pid namespace is swept */
};

static const char *const v1_roots[N_CONTROLLERS] = {
	"/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/cpu"};

int cgroup_put(int dir, const char *name, const char *text)
{
	CLEANUP_FD int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -1 : fd_write_all(fd, text, strlen(text));
}

int cgroup_put_u64(int dir, const char *name, uint64_t v)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, v);
	return cgroup_put(dir, name, text);
}

bool cgroup_get(int dir, const char *name, char *out, size_t len)
{
	CLEANUP_FD int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : fd_read_full(fd, out, len - 1);

	if (n < 0)
		return false;
	out[n] = '\0';
	return true;
}

uint64_t cgroup_get_u64(int dir, const char *name, const char *key)
{
	char text[4096], *at = text;

	if (!cgroup_get(dir, name, text, sizeof(text)))
		return 0;
	if (key) {
		size_t len = strlen(key);

		while (at && (strncmp(at, key, len) || at[len] != ' ')) {
			at = strchr(at, '\n');
			at += at != NULL;
		}
		if (!at)
			return 0;
		at += len + 1;
	}
	return strtoull(at, NULL, 10);
}

uint64_t cgroup_pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) ? 0 : (uint64_t)st.st_ino;
}

/* "nfo-NAMESPACE-PID-RANDOM": whose it is; random, so that nobody meets it. */
static bool is_ours(const char *name, uint64_t *ns, pid_t *pid)
{
	char *end;

	if (strncmp(name, CGROUP_PREFIX, strlen(CGROUP_PREFIX)) != 0)
		return false;
	*ns = strtoull(name + strlen(CGROUP_PREFIX), &end, 10);
	if (!*ns || *end != '-')
		return false;
	*pid = (pid_t)strtol(end + 1, &end, 10);
	return *pid > 0 && *end == '-';
}

/* Its host is dead, as far as that can be seen from here. */
static bool is_orphan(int dir, const char *name, uint64_t our_ns)
{
	struct stat st;
	uint64_t ns;
	pid_t pid;

	if (!is_ours(name, &ns, &pid))
		return false;
	if (ns == our_ns)
		return kill(pid, 0) && errno == ESRCH;
	return !fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) &&
	       time(NULL) - st.st_ctime > ORPHAN_S;
}

/* Groups of hosts that died: their sandboxes died with them.  Only by rmdir,
 * which refuses while there is a process in it. */
static void sweep(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	uint64_t ns = cgroup_pid_namespace();
	struct dirent *ent;

	while (d && (ent = readdir(d)))
		if (is_orphan(dir, ent->d_name, ns))
			(void)unlinkat(dir, ent->d_name, AT_REMOVEDIR);
	if (d)
		closedir(d);
}

static bool writable_dir(int dir)
{
	return dir >= 0 && !faccessat(dir, ".", W_OK, 0);
}

bool cgroup_find_v1(struct cgroups *c)
{
	for (size_t i = 0; i < N_CONTROLLERS; i++) {
		c->dirs[i] =
			open(v1_roots[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		c->have[i] =
			writable_dir(c->dirs[i]) &&
			!faccessat(c->dirs[i], "cgroup.procs", W_OK, 0) &&
			faccessat(c->dirs[i], "cgroup.controllers", F_OK, 0);
		if (c->have[i])
			sweep(c->dirs[i]);
		else
			fd_close(&c->dirs[i]);
	}
	return c->have[MEMORY] && c->have[PIDS];
}

#define V2_ROOT "/sys/fs/cgroup"
#define LEAF    "nfo" /* of a group that was given to us: for our own */

/* Our own group in the unified hierarchy, from /proc/self/cgroup "0::/PATH";
 * from a leaf that one of us made before, the group above it. */
static int open_own_v2(void)
{
	char text[4096], path[4200], *at, *end;

	if (!cgroup_get(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)))
		return -1;
	at = strstr(text, "0::/");
	end = at ? strchr(at, '\n') : NULL;
	if (!end)
		return -1;
	*end = '\0';
	if (end - at > 8 && !strcmp(end - 4, "/" LEAF))
		end[-4] = '\0';
	(void)snprintf(path, sizeof(path), V2_ROOT "%s", at + 3);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool has_word(const char *list, const char *word)
{
	const char *at = strstr(list, word);

	return at && (at == list || at[-1] == ' ');
}

/* systemd marks what it gives away (systemd.resource-control(5), Delegate=);
 * where there is no systemd, what may be written was meant to be. */
static bool is_delegated(int dir)
{
	static const char *const marks[] = {"user.delegate",
					    "trusted.delegate"};
	char value = '0';

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (fgetxattr(dir, marks[i], &value, 1) == 1 && value == '1')
			return true;
	return access("/run/systemd/system", F_OK) != 0;
}

/* A group that has processes cannot have groups with controllers below it:
 * all of ours go to a leaf, and sandboxes will be its siblings. */
static int vacate(int dir)
{
	char text[65536], *at = text, *end;

	if ((mkdirat(dir, LEAF, 0755) && errno != EEXIST) ||
	    !cgroup_get(dir, "cgroup.procs", text, sizeof(text)))
		return -1;
	for (long pid; (pid = strtol(at, &end, 10)) > 0 && end != at; at = end)
		if (cgroup_put_u64(dir, LEAF "/cgroup.procs", (uint64_t)pid) &&
		    errno != ESRCH)
			return -1;
	return 0;
}

static bool enable(int dir, const char *controller)
{
	char on[16];

	(void)snprintf(on, sizeof(on), "+%s", controller);
	if (!cgroup_put(dir, "cgroup.subtree_control", on))
		return true;
	return errno == EBUSY && is_delegated(dir) && !vacate(dir) &&
	       !cgroup_put(dir, "cgroup.subtree_control", on);
}

/* Takes dir when memory and pids can be limited below it. */
static bool use_v2(struct cgroups *c, int dir)
{
	static const char *const names[] = {"memory", "pids", "cpu"};
	char have[512];

	if (!writable_dir(dir) ||
	    !cgroup_get(dir, "cgroup.controllers", have, sizeof(have))) {
		fd_close(&dir);
		return false;
	}
	for (size_t i = 0; i < N_CONTROLLERS; i++)
		c->have[i] = has_word(have, names[i]) && enable(dir, names[i]);
	if (!c->have[MEMORY] || !c->have[PIDS]) {
		memset(c->have, 0, sizeof(c->have));
		fd_close(&dir);
		return false;
	}
	c->dirs[0] = dir;
	sweep(dir);
	return true;
}

/* Root may do without a group that was given to it: then at the top. */
bool cgroup_find_v2(struct cgroups *c)
{
	if (access(V2_ROOT "/cgroup.controllers", F_OK))
		return false;
	return use_v2(c, open_own_v2()) ||
	       (!geteuid() &&
		use_v2(c, open(V2_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
}
