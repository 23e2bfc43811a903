/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The paths a role keeps, and all that it gives up, tried in children. */
#include "base/fd.h"
#include "role/confine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* --- files -------------------------------------------------------------- */

struct scene {
	char dir[64];
	int top, mine, lent;
};

static struct scene scene;

static int set_scene(void **state)
{
	struct err e;

	(void)state;
	strcpy(scene.dir, "/tmp/confine-XXXXXX");
	if (!mkdtemp(scene.dir))
		return -1;
	scene.top = open(scene.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mkdirat(scene.top, "mine", 0700) ||
	    mkdirat(scene.top, "lent", 0700) ||
	    fd_write_file(scene.top, "lent/file", STR("x"), 0600, &e) ||
	    fd_write_file(scene.top, "other", STR("x"), 0600, &e))
		return -1;
	scene.mine = openat(scene.top, "mine", O_RDONLY | O_DIRECTORY);
	scene.lent = openat(scene.top, "lent", O_RDONLY | O_DIRECTORY);
	return scene.lent < 0 ? -1 : 0;
}

static int clear_scene(void **state)
{
	struct err e;

	(void)state;
	close(scene.mine);
	close(scene.lent);
	close(scene.top);
	return fd_remove_tree(AT_FDCWD, scene.dir, &e);
}

static int opened(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, flags | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : close(fd);
}

static int connected_to(uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) ? -errno : 0;
	close(fd);
	return r;
}

static int connected(void)
{
	return connected_to(1);
}

/* Returns the number of the first expectation that is not met; 0: none. */
static int look_around(int abi)
{
	if (opened(scene.mine, "new", O_WRONLY | O_CREAT | O_EXCL))
		return 1;
	if (renameat(scene.mine, "new", scene.mine, "newer") ||
	    unlinkat(scene.mine, "newer", 0))
		return 2;
	if (opened(scene.lent, "file", O_RDONLY))
		return 3;
	if (opened(scene.lent, "file", O_WRONLY) != -EACCES)
		return 4;
	if (opened(scene.lent, "new", O_WRONLY | O_CREAT) != -EACCES)
		return 5;
	if (opened(scene.top, "other", O_RDONLY) != -EACCES)
		return 6;
	if (opened(AT_FDCWD, "/etc/passwd", O_RDONLY) != -EACCES)
		return 7;
	if (opened(scene.mine, "../other", O_RDONLY) != -EACCES)
		return 8;
	if (symlinkat("x", scene.mine, "link") != -1 || errno != EACCES)
		return 9;
	if (abi >= 4 && connected() != -EACCES)
		return 10;
	if (abi >= 6 && (kill(getppid(), 0) != -1 || errno != EPERM))
		return 11;
	return 0;
}

static void only_listed_paths_stay_open(void **state)
{
	const struct confine_place places[] = {
		{scene.mine, true },
                {scene.lent, false}
        };
	int abi = confine_landlock_abi(), status;
	struct err e;
	pid_t pid;

	(void)state;
	if (!abi) {
		print_message("no Landlock here\n");
		skip();
	}
	assert_int_equal(opened(scene.top, "other", O_RDONLY), 0);
	assert_int_equal(connected(), -ECONNREFUSED);
	pid = fork();
	if (!pid) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    confine_files(true, true, places, ARRAY_LEN(places), NULL,
				  &e))
			_exit(255);
		_exit(look_around(abi));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- all of it ---------------------------------------------------------- */

static int run_role(enum role r, const char *dir)
{
	struct role_init init = {.max_attempts = 4};
	char path[128];
	struct rlimit l;
	struct err e;

	(void)snprintf(init.state, sizeof(init.state), "%s", scene.dir);
	(void)snprintf(path, sizeof(path), "%s/%s/db", scene.dir, dir);
	if (confine_role(r, &init, NULL, &e))
		return 1;
	if (prctl(PR_GET_DUMPABLE) ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ||
	    prctl(PR_GET_SECCOMP) != 2)
		return 2;
	if (getrlimit(RLIMIT_CORE, &l) || l.rlim_max)
		return 3;
	if (opened(AT_FDCWD, path, O_WRONLY | O_CREAT))
		return 4;
	if (confine_landlock_abi() &&
	    opened(scene.top, "other", O_RDONLY) != -EACCES)
		return 5;
	if (execl("/bin/true", "true", NULL) != -1 || errno != EPERM)
		return 6;
	return 0;
}

static void server_and_keeper_have_their_own_directory(void **state)
{
	static const struct {
		enum role role;
		const char *dir;
	} roles[] = {
		{ROLE_SERVER, "server"},
                {ROLE_KEEPER, "keeper"}
        };
	int status;

	(void)state;
	if (!confine_landlock_abi()) {
		print_message("no Landlock here\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		pid_t pid;

		assert_int_equal(mkdirat(scene.top, roles[i].dir, 0700), 0);
		pid = fork();
		if (!pid)
			_exit(run_role(roles[i].role, roles[i].dir));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

static void *nothing(void *arg)
{
	return arg;
}

static int run_connecting_keeper(void)
{
	const uint16_t one = 1;
	const struct confine_ports ports = {&one, 1};
	struct role_init init = {.max_attempts = 4};
	pthread_t thread;
	struct err e;

	(void)snprintf(init.state, sizeof(init.state), "%s", scene.dir);
	if (confine_role(ROLE_KEEPER, &init, &ports, &e))
		return 1;
	if (connected_to(1) != -ECONNREFUSED)
		return 2;
	if (connected_to(53) == -EACCES)
		return 3;
	if (confine_landlock_abi() >= 4 && connected_to(2) != -EACCES)
		return 4;
	if (opened(AT_FDCWD, "/etc/passwd", O_RDONLY))
		return 5;
	if (confine_landlock_abi() &&
	    opened(scene.top, "other", O_RDONLY) != -EACCES)
		return 6;
	if (pthread_create(&thread, NULL, nothing, NULL) ||
	    pthread_join(thread, NULL))
		return 7;
	if (fork() != -1 || errno != EPERM)
		return 8;
	return 0;
}

static void a_keeper_with_providers_connects_to_them(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (!confine_landlock_abi()) {
		print_message("no Landlock here\n");
		skip();
	}
	assert_int_equal(mkdirat(scene.top, "keeper", 0700), 0);
	pid = fork();
	if (!pid)
		_exit(run_connecting_keeper());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* A directory that is missing is no reason to go on without the wall. */
static void a_step_that_fails_is_an_error(void **state)
{
	struct role_init init = {.state = "/nonexistent", .max_attempts = 4};
	struct err e;
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (!pid)
		_exit(confine_role(ROLE_KEEPER, &init, NULL, &e) == -1 ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_listed_paths_stay_open,
						set_scene, clear_scene),
		cmocka_unit_test_setup_teardown(
			server_and_keeper_have_their_own_directory, set_scene,
			clear_scene),
		cmocka_unit_test_setup_teardown(
			a_keeper_with_providers_connects_to_them, set_scene,
			clear_scene),
		cmocka_unit_test(a_step_that_fails_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
