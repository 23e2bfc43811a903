/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SANDBOX.md list 1-7: descriptors, identity, privileges. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FDS_TO_LOOK_AT = 70000
};

static void fds(char **args)
{
	char what[32];
	bool any = false;

	(void)args;
	for (int fd = 3; fd < FDS_TO_LOOK_AT; fd++)
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) {
			(void)snprintf(what, sizeof(what), "fd %d", fd);
			probe_held(what, false);
			any = true;
		}
	probe_held("none above 2", !any);
	for (int fd = 0; fd < 3; fd++) {
		struct stat st = {0};

		(void)fstat(fd, &st);
		probe_held("0-2 no directory", !S_ISDIR(st.st_mode));
		probe_held("0-2 no socket", !S_ISSOCK(st.st_mode));
	}
}

/* Standard input, a file of the host that was opened for reading only. */
static void reopen_stdin(char **args)
{
	(void)args;
	probe_open("/proc/self/fd/0", O_RDWR);
	probe_open("/proc/self/fd/0", O_WRONLY | O_APPEND);
	probe_open("/dev/stdin", O_WRONLY);
	probe_tried("ftruncate", ftruncate(0, 0));
	probe_tried("link", linkat(AT_FDCWD, "/proc/self/fd/0", AT_FDCWD,
				   "/tmp/probe-link", AT_SYMLINK_FOLLOW));
}

/* Standard input, a directory of the host: a way out by relative paths. */
static void climb_stdin(char **args)
{
	(void)args;
	probe_tried("fchdir", fchdir(0));
	probe_tried("fstatat", fstatat(0, "etc", &(struct stat){0}, 0));
	probe_tried("openat", openat(0, "etc/passwd", O_RDONLY | O_CLOEXEC));
	probe_tried("faccessat", faccessat(0, "home", F_OK, 0));
}

/* args: the directory it must be. */
static void cwd(char **args)
{
	char link[256] = "", here[256] = "";

	if (readlink("/proc/self/cwd", link, sizeof(link) - 1) < 0)
		link[0] = '\0';
	if (!getcwd(here, sizeof(here)))
		here[0] = '\0';
	probe_held(link, !strcmp(link, args[0]));
	probe_held(here, !strcmp(here, args[0]));
	probe_held("reachable", !strstr(here, "(unreachable)"));
}

static void climb(char **args)
{
	char path[512] = "";

	(void)args;
	for (int up = 1; up < 40; up++)
		(void)strncat(path, "../", sizeof(path) - strlen(path) - 1);
	(void)strncat(path, "etc/shadow", sizeof(path) - strlen(path) - 1);
	probe_open("../../../etc/shadow", O_RDONLY);
	probe_open(path, O_RDONLY);
	probe_open("/proc/self/root/etc/shadow", O_RDONLY);
	probe_open("/proc/self/cwd/../../etc/shadow", O_RDONLY);
}

/* The id outside of what is id here, by the map; -1 when not mapped. */
static long outer_id(const char *map, unsigned long id)
{
	char text[4096];
	unsigned long in, out, n;

	for (char *p = (char *)probe_read(map, text, sizeof(text)); *p;) {
		in = strtoul(p, &p, 10);
		out = strtoul(p, &p, 10);
		n = strtoul(p, &p, 10);
		p += strspn(p, " \n");
		if (id >= in && id - in < n)
			return (long)(out + (id - in));
	}
	return -1;
}

/* args: "root" when root started the sandbox: then our ids must be nobody's of
 * the host.  A user's own sandbox maps to that user, who has no power. */
static void ids(char **args)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;
	char text[8192], want[64];

	probe_held("getresuid", !getresuid(&r, &e, &s) && r == e && e == s);
	probe_held("getresgid",
		   !getresgid(&gr, &ge, &gs) && gr == ge && ge == gs);
	probe_held("uid inside", r != 0);
	probe_held("gid inside", gr != 0);
	(void)snprintf(want, sizeof(want), "\nUid:\t%u\t%u\t%u\t%u\n", r, r, r,
		       r);
	probe_held("all four",
		   strstr(probe_read("/proc/self/status", text, sizeof(text)),
			  want) != NULL);
	if (!strcmp(args[0], "root")) {
		probe_held("uid outside",
			   outer_id("/proc/self/uid_map", r) > 999);
		probe_held("gid outside",
			   outer_id("/proc/self/gid_map", gr) > 999);
	}
	probe_tried("setuid(0)", setresuid(0, 0, 0));
	probe_tried("setgid(0)", setresgid(0, 0, 0));
	probe_tried("setgroups", setgroups(1, &(gid_t){0}));
}

static void groups(char **args)
{
	(void)args;
	probe_held("no supplementary groups", getgroups(0, NULL) == 0);
}

static bool status_says(const char *status, const char *key, const char *value)
{
	const char *line = strstr(status, key);

	if (!line)
		return false;
	line += strlen(key);
	line += strspn(line, ":\t ");
	return !strncmp(line, value, strlen(value)) &&
	       line[strlen(value)] == '\n';
}

static void caps(char **args)
{
	static const char *const sets[] = {"CapInh", "CapPrm", "CapEff",
					   "CapBnd", "CapAmb"};
	char text[8192];

	(void)args;
	probe_read("/proc/self/status", text, sizeof(text));
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		probe_held(sets[i],
			   status_says(text, sets[i], "0000000000000000"));
	probe_held("NoNewPrivs", status_says(text, "NoNewPrivs", "1"));
	probe_held("Seccomp", status_says(text, "\nSeccomp", "2"));
}

static void securebits(char **args)
{
	const int want = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
			 SECBIT_NO_SETUID_FIXUP_LOCKED |
			 SECBIT_KEEP_CAPS_LOCKED;
	int bits = prctl(PR_GET_SECUREBITS);

	(void)args;
	/* A filter that does not let one ask is as good. */
	probe_held("locked", bits < 0 ? errno == EPERM : (bits & want) == want);
	probe_tried("PR_SET_SECUREBITS", prctl(PR_SET_SECUREBITS, 0, 0, 0, 0));
	probe_tried("PR_CAP_AMBIENT_RAISE",
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21, 0, 0));
	probe_tried("clear no_new_privs",
		    prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

/* Is anything here that a plain program has not? */
static void gained(char **args)
{
	char text[8192];

	probe_held(args[0], geteuid() == strtoul(args[0], NULL, 10));
	probe_held("real is effective", getuid() == geteuid());
	probe_read("/proc/self/status", text, sizeof(text));
	probe_held("CapEff", status_says(text, "CapEff", "0000000000000000"));
	probe_held("CapPrm", status_says(text, "CapPrm", "0000000000000000"));
}

/* args: programs with a set-user-id bit or file capabilities, made by the
 * driver as copies of this one. */
static void privileged_file(char **args)
{
	char uid[16];

	(void)snprintf(uid, sizeof(uid), "%u", geteuid());
	for (; *args; args++) {
		char *argv[] = {*args, (char *)"gained", (char *)"held", uid,
				NULL};
		struct stat st;

		probe_held("the file is there", !stat(*args, &st));
		probe_held(*args, probe_spawn(argv) == 0);
	}
}

/* A copy of this program that we own, with the bit set by ourselves. */
static void own_setuid(char **args)
{
	char path[256], uid[16];
	struct stat st = {0};
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int to;

	(void)snprintf(path, sizeof(path), "%s/own-setuid", args[0]);
	(void)snprintf(uid, sizeof(uid), "%u", geteuid());
	to = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
	probe_held("own copy",
		   from >= 0 && to >= 0 && !fstat(from, &st) &&
			   sendfile(to, from, NULL, (size_t)st.st_size) ==
				   st.st_size);
	(void)close(to);
	(void)chmod(path, 06755);
	char *argv[] = {path, (char *)"gained", (char *)"held", uid, NULL};

	probe_held(path, probe_spawn(argv) == 0);
	(void)unlink(path);
}

const struct probe probes_fds[] = {
	{"fds",             fds            },
	{"reopen_stdin",    reopen_stdin   },
	{"climb_stdin",     climb_stdin    },
	{"cwd",             cwd            },
	{"climb",           climb          },
	{"ids",             ids            },
	{"groups",          groups         },
	{"caps",            caps           },
	{"securebits",      securebits     },
	{"gained",          gained         },
	{"privileged_file", privileged_file},
	{"own_setuid",      own_setuid     },
	{NULL,              NULL           },
};
