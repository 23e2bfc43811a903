/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What the probes of the escape suite share.  A probe tries to get out in one
 * or more ways and records the outcome of each as a word: an errno name, a
 * signal's name, "ok" (the call worked), "held" or "broken" (a property that
 * must hold does or does not).  The driver's table says which words are right.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct probe {
	const char *name;
	void (*run)(char **args); /* NULL-terminated */
};

/* One table a file; the last entry has no name. */
extern const struct probe probes_control[], probes_fds[], probes_launcher[],
	probes_namespaces[], probes_net[], probes_syscalls[], probes_leaks[],
	probes_resources[], probes_scenes[];

/* What a call returned; errno is read when rc is negative. */
void probe_tried(const char *what, long rc);
/* A property that must hold. */
void probe_held(const char *what, bool so);
/* Records any word; for what the two above cannot say. */
void probe_word(const char *what, const char *word);
/* Run attempt in a child; a signal that ends the child is an outcome. */
void probe_apart(const char *what, void (*attempt)(void *), void *arg);

/* A system call by number, with up to six arguments. */
struct probe_call {
	const char *name;
	long nr;
	uintptr_t args[6];
};

/* Try each; the last entry has no name. */
void probe_calls(const struct probe_call *calls);
/* Open, record, close. */
void probe_open(const char *path, int flags);
/* Run a program and wait: its exit code, 128 + signal, or -1. */
int probe_spawn(char *const argv[]);
/* The file's text, cut at size - 1; "" when it cannot be read. */
const char *probe_read(const char *path, char *text, size_t size);
/* The path of this program, for running it again. */
extern const char *probe_self;

/* A string as an argument of a system call. */
#define PROBE_STR(s) ((uintptr_t)(s))
