/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * probe NAME EXPECTED [ARG...]: run one probe, print one line, exit 0 when all
 * outcomes are among EXPECTED (words separated by commas), 1 when not, 2 when
 * nothing was tried.  It knows nothing of the sandbox it runs in.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	OUTCOMES_MAX = 96,
	WORD_MAX = 20,
	WHAT_MAX = 60
};

/* Shared with children, so that theirs count. */
struct record {
	unsigned n;
	struct outcome {
		unsigned times;
		char word[WORD_MAX], what[WHAT_MAX];
	} outcomes[OUTCOMES_MAX];
};

static struct record *record;
const char *probe_self;

static const struct probe *const tables[] = {
	probes_control,    probes_fds,       probes_launcher,
	probes_namespaces, probes_net,       probes_syscalls,
	probes_leaks,      probes_resources, probes_scenes,
};

/* One line a word; of what is wrong each case is worth its own. */
static bool same_outcome(const struct outcome *o, const char *word)
{
	return !strcmp(o->word, word) && strcmp(word, "ok") &&
	       strcmp(word, "broken");
}

void probe_word(const char *what, const char *word)
{
	for (unsigned i = 0; i < record->n; i++)
		if (same_outcome(&record->outcomes[i], word)) {
			record->outcomes[i].times++;
			return;
		}
	if (record->n == OUTCOMES_MAX)
		return;
	struct outcome *o = &record->outcomes[record->n++];

	o->times = 1;
	(void)snprintf(o->word, sizeof(o->word), "%s", word);
	(void)snprintf(o->what, sizeof(o->what), "%s", what);
}

void probe_tried(const char *what, long rc)
{
	const char *name = strerrorname_np(errno);

	probe_word(what, rc >= 0 ? "ok" : name ? name : "E?");
}

void probe_held(const char *what, bool so)
{
	probe_word(what, so ? "held" : "broken");
}

void probe_apart(const char *what, void (*attempt)(void *), void *arg)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		attempt(arg);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		probe_tried(what, -1);
		return;
	}
	if (WIFSIGNALED(status)) {
		char word[WORD_MAX];

		(void)snprintf(word, sizeof(word), "SIG%s",
			       sigabbrev_np(WTERMSIG(status)));
		probe_word(what, word);
	}
}

void probe_calls(const struct probe_call *calls)
{
	for (; calls->name; calls++) {
		const uintptr_t *a = calls->args;

		errno = 0;
		probe_tried(calls->name, syscall(calls->nr, a[0], a[1], a[2],
						 a[3], a[4], a[5]));
	}
}

void probe_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	probe_tried(path, fd);
	if (fd >= 0)
		(void)close(fd);
}

const char *probe_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 0;

	while (fd >= 0 && len + 1 < size &&
	       (n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	if (fd >= 0)
		(void)close(fd);
	return text;
}

int probe_spawn(char *const argv[])
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool listed(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") == len && !strncmp(p, word, len))
			return true;
	return false;
}

static int report(const char *name, const char *expected)
{
	bool allowed = false, right = record->n > 0;

	for (unsigned i = 0; i < record->n; i++) {
		const char *word = record->outcomes[i].word;

		allowed = allowed || !strcmp(word, "ok") ||
			  !strcmp(word, "broken");
		right = right && listed(expected, word);
	}
	printf("%s: %s", name, allowed ? "ALLOWED" : "blocked");
	for (unsigned i = 0; i < record->n; i++) {
		const struct outcome *o = &record->outcomes[i];

		if (o->times > 1)
			printf(" %s(%u)", o->word, o->times);
		else
			printf(" %s[%s]", o->word, o->what);
	}
	printf("\n");
	return record->n == 0 ? 2 : right ? 0 : 1;
}

static const struct probe *find(const char *name)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct probe *p = tables[t]; p->name; p++)
			if (!strcmp(p->name, name))
				return p;
	return NULL;
}

int main(int argc, char **argv)
{
	const struct probe *p = argc > 2 ? find(argv[1]) : NULL;

	if (!p) {
		fprintf(stderr, "probe: usage: probe NAME EXPECTED [ARG...]\n");
		return 2;
	}
	probe_self = argv[0];
	record = mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (record == MAP_FAILED)
		return 2;
	p->run(argv + 3);
	return report(p->name, argv[2]);
}
