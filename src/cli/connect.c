/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Finding or starting a server; see connect.h. */
#include "cli/connect.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/hex.h"
#include "cli/context.h"
#include "cli/opts.h"
#include "cli/vault_env.h"
#include "policy/builtin.h"
#include "sandbox/delegate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	START_TIMEOUT_MS = 20000,
	SOCKET_PATH_MAX = 100
};

#define IDLE_SECONDS "600"

static const char *env(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? v : NULL;
}

int connect_program(const char *name, struct buf *out, struct err *e)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *slash;

	if (n <= 0)
		return err_sys(e, errno, "/proc/self/exe");
	self[n] = '\0';
	slash = strrchr(self, '/');
	for (size_t i = 0; i < 2; i++) {
		char path[PATH_MAX + 64];

		(void)snprintf(path, sizeof(path),
			       i ? "%.*s/../libexec/nfo/%s" : "%.*s/%s",
			       (int)(slash - self), self, name);
		if (!access(path, X_OK))
			return buf_puts(out, path) ? 0 : -1;
	}
	return err_set(e, ERR_NOT_FOUND, "the program %s is not beside nfo",
		       name);
}

/* mkdir -p with mode 0700 for what is missing. */
static int make_dirs(const char *path, struct err *e)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return err_set(e, ERR_LIMIT, "%s: too long", path);
	memcpy(part, path, len + 1);
	for (size_t i = 1; i <= len; i++) {
		if (part[i] != '/' && part[i])
			continue;
		part[i] = '\0';
		if (mkdir(part, 0700) && errno != EEXIST)
			return err_sys(e, errno, "%s", part);
		part[i] = path[i];
	}
	return 0;
}

int connect_state_dir(struct buf *out, struct err *e)
{
	const char *state = globals.state ? globals.state : env("NFO_STATE");
	char abs[PATH_MAX];

	if (state) {
		buf_puts(out, state);
	} else if (!geteuid()) {
		/* Roles of root run as other users, who cannot pass /root. */
		buf_puts(out, "/var/lib/nfo");
	} else if (env("XDG_STATE_HOME")) {
		buf_printf(out, "%s/nfo", env("XDG_STATE_HOME"));
	} else if (env("HOME")) {
		buf_printf(out, "%s/.local/state/nfo", env("HOME"));
	} else {
		return err_set(e, ERR_INVALID,
			       "no home: say --state DIR or set NFO_STATE");
	}
	if (!globals.no_start && make_dirs(buf_cstr(out), e))
		return -1;
	if (!realpath(buf_cstr(out), abs))
		return err_sys(e, errno, "%s", buf_cstr(out));
	buf_reset(out);
	buf_puts(out, abs);
	return 0;
}

/* STATE/run/nfo.sock, or a short path elsewhere when that is too long for a
 * Unix address. */
static int socket_path(const char *state, struct server *s, struct err *e)
{
	const char *runtime = env("XDG_RUNTIME_DIR");
	struct hash h;
	char hex[17];
	int n;

	n = snprintf(s->socket, sizeof(s->socket), "%s/run/nfo.sock", state);
	if (n < SOCKET_PATH_MAX)
		return 0;
	h = hash_sha256(state, strlen(state));
	hex_encode(h.b, 8, hex);
	n = snprintf(s->socket, sizeof(s->socket), "%s/nfo-%u-%s/nfo.sock",
		     runtime ? runtime : "/tmp", (unsigned)getuid(), hex);
	if (n >= SOCKET_PATH_MAX)
		return err_set(e, ERR_LIMIT, "%s: too long for a socket",
			       s->socket);
	return 0;
}

static bool answers(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	return fd >= 0 && !connect(fd, (struct sockaddr *)&sa, sizeof(sa));
}

/* The policy that a private server starts with, once. */
int connect_first_policy(const char *state, struct err *e)
{
	char path[PATH_MAX];
	CLEANUP_FD int dir = -1;

	(void)snprintf(path, sizeof(path), "%s/policies", state);
	if (!mkdir(path, 0700)) {
		dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			return err_sys(e, errno, "%s", path);
		if (fd_write_file(dir, "default.yaml", policy_builtin_default(),
				  0600, e))
			return -1;
		fprintf(stderr,
			"nfo: a private server of your own is set up:\n"
			"  state   %s\n"
			"  policy  %s/default.yaml\n"
			"  key     %s/keeper/key   (back it up: without it "
			"stored secrets are lost)\n"
			"  token   %s/server/token   (for clients "
			"over TCP)\n",
			state, path, state, state);
		return 0;
	}
	return errno == EEXIST ? 0 : err_sys(e, errno, "%s", path);
}

/* In the child: the monitor, in a session of its own, its words to a file. */
static void exec_monitor(const char *program, const char *state,
			 const char *socket, int ready,
			 const struct vault_env *vault)
{
	char log[PATH_MAX], policy[PATH_MAX], fd[16], list[16];
	const char *argv[] = {
		program,  "--state",     state,        "--socket",
		socket,   "--policy",    policy,       "--cgroups",
		"prefer", "--idle-exit", IDLE_SECONDS, "--ready-fd",
		fd,       NULL,          list,         NULL};
	int null = open("/dev/null", O_RDWR), out;

	if (vault->list >= 0)
		argv[13] = "--secret-providers";
	(void)snprintf(list, sizeof(list), "%d", vault->list);

	(void)snprintf(log, sizeof(log), "%s/server.log", state);
	(void)snprintf(policy, sizeof(policy), "%s/policies", state);
	(void)snprintf(fd, sizeof(fd), "%d", ready);
	out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
	setsid();
	/* of a service that happens to have called us */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	dup2(null, 0);
	dup2(null, 1);
	dup2(out < 0 ? null : out, 2);
	fcntl(ready, F_SETFD, 0);
	for (int i = 3; i < 64; i++)
		if (i != ready && i != vault->list && i != vault->token)
			close(i);
	sandbox_delegate_exec((char *const *)(uintptr_t)argv);
	execv(program, (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* server.log, where what this start writes will begin. */
static int open_log(const char *state, off_t *ret_end)
{
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/server.log", state);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	*ret_end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	return fd;
}

/* The first error is the cause; those after it are what followed. */
static int last_words(const char *state, off_t from, struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
	struct str text, line = {NULL, 0};
	struct err ignored;
	off_t end;
	CLEANUP_FD int log = open_log(state, &end);

	if (log >= 0 && lseek(log, from, SEEK_SET) == from &&
	    !fd_read_buf(log, &b, &ignored)) {
		text = str_trim(buf_view(&b));
		while (text.len && !str_starts(line, STR("error ")))
			line = str_cut(&text, '\n');
	}
	return err_set(e, ERR_UNAVAILABLE,
		       "the private server did not start: " STR_FMT
		       " (see %s/server.log)",
		       STR_ARG(line), state);
}

static int start(const char *state, const struct server *s, struct err *e)
{
	CLEANUP_BUF struct buf program = BUF_INIT(PATH_MAX);
	struct vault_env vault = {-1, -1};
	int ready[2];
	struct pollfd p;
	char answer[16];
	off_t log_end;
	pid_t pid;
	ssize_t n;
	int log;

	if (connect_program("nfo-monitor", &program, e) ||
	    connect_first_policy(state, e))
		return -1;
	if (vault_env_take(&vault, e)) /* all else works without */
		fprintf(stderr, "nfo: no provider of secrets: %s\n", e->text);
	if (pipe2(ready, O_CLOEXEC)) {
		vault_env_done(&vault);
		return err_sys(e, errno, "pipe");
	}
	log = open_log(state, &log_end);
	fd_close(&log);
	pid = fork();
	if (!pid) {
		if (fork()) /* the server is nobody's child */
			_exit(0);
		exec_monitor(buf_cstr(&program), state, s->socket, ready[1],
			     &vault);
	}
	vault_env_done(&vault);
	close(ready[1]);
	if (pid < 0) {
		close(ready[0]);
		return err_sys(e, errno, "fork");
	}
	(void)waitpid(pid, NULL, 0);
	p = (struct pollfd){.fd = ready[0], .events = POLLIN};
	n = poll(&p, 1, START_TIMEOUT_MS) > 0 ?
		    fd_read(ready[0], answer, sizeof(answer)) :
		    -1;
	close(ready[0]);
	return n > 0 ? 0 : last_words(state, log_end, e);
}

static int private_server(struct server *ret, struct err *e)
{
	CLEANUP_BUF struct buf state = BUF_INIT(PATH_MAX);
	CLEANUP_FD int lock = -1;
	char path[PATH_MAX];

	if (connect_state_dir(&state, e) ||
	    socket_path(buf_cstr(&state), ret, e))
		return -1;
	(void)snprintf(ret->base, sizeof(ret->base), "http://localhost");
	if (answers(ret->socket))
		return 0;
	if (globals.no_start)
		return err_set(e, ERR_UNAVAILABLE, "no server runs");
	(void)snprintf(path, sizeof(path), "%s/start.lock", buf_cstr(&state));
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0 || flock(lock, LOCK_EX))
		return err_sys(e, errno, "%s", path);
	if (answers(ret->socket)) /* somebody was faster */
		return 0;
	return start(buf_cstr(&state), ret, e);
}

/* A token that travels in clear belongs to whoever listens. */
static bool is_loopback(struct str url)
{
	struct str rest = str_from_at(url, 7), host = str_cut(&rest, '/');
	struct in_addr four;
	char text[64];

	/* a login may look like a host, and a name like an address */
	if (str_has(host, '@') || host.len >= sizeof(text))
		return false;
	if (str_starts(host, STR("[::1]")))
		return host.len == 5 || host.p[5] == ':';
	host = str_cut(&host, ':');
	(void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(host));
	return str_is(host, "localhost") ||
	       (inet_pton(AF_INET, text, &four) == 1 &&
		ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET);
}

static int server_at(const char *url, struct server *ret, struct err *e)
{
	size_t len;

	if (!strncmp(url, "unix:", 5)) {
		(void)snprintf(ret->socket, sizeof(ret->socket), "%s", url + 5);
		(void)snprintf(ret->base, sizeof(ret->base),
			       "http://localhost");
		return 0;
	}
	if (strncmp(url, "http://", 7) && strncmp(url, "https://", 8))
		return err_set(e, ERR_INVALID,
			       "server %s: unix:PATH, http://... or "
			       "https://... is wanted",
			       url);
	if (ret->token[0] && url[4] == ':' && !is_loopback(str_from(url)))
		return err_set(e, ERR_DENIED,
			       "%s: a token would travel in clear; use https",
			       url);
	(void)snprintf(ret->base, sizeof(ret->base), "%s", url);
	len = strlen(ret->base);
	if (len && ret->base[len - 1] == '/')
		ret->base[len - 1] = '\0';
	return 0;
}

static void copy_path(char to[SERVER_PATH_MAX], const char *from)
{
	(void)snprintf(to, SERVER_PATH_MAX, "%s", from);
}

static int server_of(const struct context *c, struct server *ret, struct err *e)
{
	copy_path(ret->ca, c->ca);
	copy_path(ret->cert, c->cert);
	copy_path(ret->key, c->key);
	if (!ret->token[0] && c->token_file[0] &&
	    context_token(c->token_file, ret, e))
		return -1;
	return server_at(c->server, ret, e);
}

int connect_server(struct server *ret, struct err *e)
{
	const char *url = globals.server ? globals.server : env("NFO_SERVER");
	const char *token = env("NFO_TOKEN");
	const struct context *c;

	*ret = (struct server){0};
	if (token && strlen(token) >= sizeof(ret->token))
		return err_set(e, ERR_INVALID, "NFO_TOKEN: too long");
	if (token)
		(void)snprintf(ret->token, sizeof(ret->token), "%s", token);
	if (context_chosen(&c, e))
		return -1;
	if (c)
		return server_of(c, ret, e);
	if (!url || globals.context)
		return private_server(ret, e);
	if (env("NFO_CA"))
		copy_path(ret->ca, env("NFO_CA"));
	return server_at(url, ret, e);
}
