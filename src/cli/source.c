/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The tree that `--source DIR` sends: what git would list (tracked, and
 * untracked but not ignored); outside of git everything but what .nfoignore
 * names.
 */
#include "base/fd.h"
#include "base/mem.h"
#include "base/tar.h"
#include "cli/verbs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	LIST_MAX = 64 << 20,
	IGNORE_MAX = 1 << 16,
	DEPTH_MAX = 64
};

/* NUL-separated names of git; 1 when dir is in no repository. */
static int git_list(const char *dir, struct buf *b, struct err *e)
{
	int p[2], status;
	pid_t pid;
	int bad;

	if (pipe2(p, O_CLOEXEC))
		return err_sys(e, errno, "pipe");
	pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		dup2(p[1], 1);
		dup2(null, 0);
		dup2(null, 2);
		execlp("git", "git", "-C", dir, "-c", "safe.directory=*",
		       "ls-files", "-coz", "--exclude-standard", (char *)NULL);
		_exit(127);
	}
	close(p[1]);
	bad = pid < 0 ? err_sys(e, errno, "fork") : fd_read_buf(p[0], b, e);
	close(p[0]);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && !bad)
		return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : 1;
	return -1;
}

struct pack {
	int root, out;
	size_t files;
	struct buf ignore;
	struct err *e;
};

static bool ignored(const struct pack *p, const char *path)
{
	struct str rest = buf_view(&p->ignore);

	while (rest.len) {
		struct str line = str_trim(str_cut(&rest, '\n'));

		if (line.len && line.p[0] != '#' &&
		    str_glob(line, str_from(path), true))
			return true;
	}
	return !strcmp(path, ".git");
}

static int put(struct pack *p, const struct buf *b)
{
	if (fd_write_all(p->out, b->data, b->len))
		return err_sys(p->e, errno, "source");
	return 0;
}

static int add_link(struct pack *p, const char *path)
{
	CLEANUP_BUF struct buf head = BUF_INIT(8192);
	char to[TAR_PATH_MAX];
	ssize_t n = readlinkat(p->root, path, to, sizeof(to));
	struct tar_entry t = {.type = TAR_SYMLINK, .mode = 0777};

	if (n < 0)
		return err_sys(p->e, errno, "source: %s", path);
	t.path = str_from(path);
	t.link = str_n(to, (size_t)n);
	tar_header(&head, &t);
	p->files++;
	return put(p, &head);
}

static int add_file(struct pack *p, const char *path)
{
	CLEANUP_BUF struct buf head = BUF_INIT(8192), pad = BUF_INIT(1024);
	CLEANUP_FD int fd = openat(
		p->root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct tar_entry t = {.type = TAR_FILE};
	uint64_t left;
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENXIO))
		return 0; /* deleted, and git has not heard of it */
	if (fd < 0 || fstat(fd, &st))
		return err_sys(p->e, errno, "source: %s", path);
	if (!S_ISREG(st.st_mode))
		return 0;
	t.path = str_from(path);
	t.size = left = (uint64_t)st.st_size;
	t.mode = st.st_mode & 0111 ? 0755 : 0644;
	tar_header(&head, &t);
	tar_pad(&pad, t.size);
	if (put(p, &head))
		return -1;
	while (left) {
		ssize_t n = sendfile(p->out, fd, NULL,
				     left < (1 << 30) ? (size_t)left : 1 << 30);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(p->e, ERR_INVALID,
				       "source: %s changed while it was read",
				       path);
		left -= (uint64_t)n;
	}
	p->files++;
	return put(p, &pad);
}

static int add(struct pack *p, const char *path)
{
	struct stat st;

	if (fstatat(p->root, path, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ?
			       0 :
			       err_sys(p->e, errno, "source: %s", path);
	if (S_ISLNK(st.st_mode))
		return add_link(p, path);
	return S_ISREG(st.st_mode) ? add_file(p, path) : 0;
}

static int walk(struct pack *p, const char *dir, unsigned depth)
{
	struct dirent **list;
	int n, bad = 0;

	n = scandirat(p->root, dir, &list, NULL, alphasort);
	if (n < 0)
		return err_sys(p->e, errno, "source: %s", dir);
	for (int i = 0; i < n; i++) {
		char path[TAR_PATH_MAX];
		const char *name = list[i]->d_name;
		struct stat st;

		(void)snprintf(path, sizeof(path), "%s%s%s", depth ? dir : "",
			       depth ? "/" : "", name);
		if (!bad && strcmp(name, ".") && strcmp(name, "..") &&
		    !ignored(p, path) &&
		    !fstatat(p->root, path, &st, AT_SYMLINK_NOFOLLOW))
			bad = S_ISDIR(st.st_mode) ?
				      (depth < DEPTH_MAX ?
					       walk(p, path, depth + 1) :
					       0) :
				      add(p, path);
		free(list[i]);
	}
	free(list);
	return bad;
}

static int add_listed(struct pack *p, struct buf *names)
{
	struct str rest = buf_view(names);

	while (rest.len) {
		struct str name = str_cut(&rest, '\0');

		if (name.len && add(p, name.p))
			return -1;
	}
	return 0;
}

int source_pack(const char *dir, int *ret_fd, size_t *ret_files, struct err *e)
{
	CLEANUP_BUF struct buf names = BUF_INIT(LIST_MAX);
	CLEANUP_BUF struct buf end = BUF_INIT(2048);
	struct pack p = {.ignore = BUF_INIT(IGNORE_MAX), .e = e};
	CLEANUP_FD int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP_FD int out = -1;
	struct err ignored_err;
	int git, bad;

	if (root < 0)
		return err_sys(e, errno, "%s", dir);
	out = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (out < 0)
		out = (int)memfd_create("source", MFD_CLOEXEC);
	if (out < 0)
		return err_sys(e, errno, "a file for the source");
	p.root = root;
	p.out = out;
	git = git_list(dir, &names, e);
	if (git < 0)
		return -1;
	if (git)
		(void)!fd_read_file(root, ".nfoignore", &p.ignore,
				    &ignored_err);
	bad = git ? walk(&p, ".", 0) : add_listed(&p, &names);
	buf_done(&p.ignore);
	tar_end(&end);
	if (bad || put(&p, &end))
		return -1;
	if (lseek(out, 0, SEEK_SET) < 0)
		return err_sys(e, errno, "source");
	*ret_files = p.files;
	*ret_fd = fd_take(&out);
	return 0;
}
