/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Values that are not masked although somebody made them a secret, because
 * masking them would hide the log's own words and with that tell the value.
 */
#include "secrets/redact_internal.h"

#include <string.h>
#include <strings.h>

/* Lower case.  Short ones count too: they are compared as a whole. */
static const char *const common[] = {"accepted",
				     "account",
				     "admin",
				     "administrator",
				     "alpine",
				     "amd64",
				     "application",
				     "archive",
				     "arm64",
				     "artifact",
				     "artifacts",
				     "attempt",
				     "authorization",
				     "authorized_user",
				     "backend",
				     "bash",
				     "bearer",
				     "boolean",
				     "branch",
				     "build",
				     "cache",
				     "cached",
				     "cancelled",
				     "certificate",
				     "changed",
				     "changeme",
				     "checkout",
				     "client",
				     "cluster",
				     "command",
				     "commit",
				     "complete",
				     "completed",
				     "config",
				     "configuration",
				     "connect",
				     "connected",
				     "connection",
				     "container",
				     "content",
				     "content-type",
				     "copied",
				     "create",
				     "created",
				     "critical",
				     "daemon",
				     "database",
				     "debian",
				     "debug",
				     "default",
				     "delete",
				     "deleted",
				     "denied",
				     "deploy",
				     "deployed",
				     "deployment",
				     "detail",
				     "details",
				     "development",
				     "directory",
				     "disabled",
				     "docker",
				     "done",
				     "download",
				     "downloading",
				     "enabled",
				     "endpoint",
				     "environment",
				     "error",
				     "errors",
				     "example",
				     "example.com",
				     "exception",
				     "execute",
				     "executing",
				     "expired",
				     "export",
				     "external",
				     "failed",
				     "failure",
				     "false",
				     "fatal",
				     "fetch",
				     "file",
				     "finished",
				     "forbidden",
				     "frontend",
				     "function",
				     "github.com",
				     "gitlab",
				     "google",
				     "googleapis.com",
				     "group",
				     "guest",
				     "header",
				     "healthy",
				     "hello",
				     "host",
				     "hostname",
				     "http",
				     "https",
				     "image",
				     "include",
				     "info",
				     "information",
				     "initial",
				     "install",
				     "installed",
				     "installing",
				     "instance",
				     "integer",
				     "internal",
				     "invalid",
				     "jenkins",
				     "job",
				     "json",
				     "kernel",
				     "key",
				     "kubernetes",
				     "latest",
				     "letmein",
				     "library",
				     "license",
				     "linux",
				     "local",
				     "localhost",
				     "localhost:8080",
				     "log",
				     "login",
				     "main",
				     "manager",
				     "manifest",
				     "master",
				     "message",
				     "method",
				     "missing",
				     "module",
				     "monitor",
				     "name",
				     "namespace",
				     "network",
				     "nginx",
				     "none",
				     "notfound",
				     "notice",
				     "null",
				     "object",
				     "okay",
				     "opened",
				     "operation",
				     "options",
				     "output",
				     "package",
				     "packages",
				     "passed",
				     "passphrase",
				     "passwd",
				     "password",
				     "password1",
				     "pending",
				     "permission",
				     "pipeline",
				     "plain",
				     "platform",
				     "policy",
				     "postgres",
				     "postgresql",
				     "prepare",
				     "private",
				     "process",
				     "production",
				     "profile",
				     "progress",
				     "project",
				     "properties",
				     "protocol",
				     "public",
				     "pulling",
				     "python",
				     "qwerty",
				     "read",
				     "readonly",
				     "received",
				     "redis",
				     "refused",
				     "registry",
				     "release",
				     "remote",
				     "removed",
				     "replica",
				     "report",
				     "repository",
				     "request",
				     "required",
				     "resource",
				     "response",
				     "restart",
				     "result",
				     "retry",
				     "root",
				     "running",
				     "schedule",
				     "script",
				     "secret",
				     "security",
				     "server",
				     "service",
				     "service_account",
				     "session",
				     "settings",
				     "setup",
				     "shell",
				     "skipped",
				     "source",
				     "staging",
				     "standard",
				     "start",
				     "started",
				     "starting",
				     "status",
				     "stderr",
				     "stdout",
				     "stop",
				     "stopped",
				     "storage",
				     "string",
				     "success",
				     "successful",
				     "successfully",
				     "summary",
				     "system",
				     "target",
				     "task",
				     "template",
				     "test",
				     "testing",
				     "tests",
				     "text",
				     "timeout",
				     "timestamp",
				     "token",
				     "trace",
				     "true",
				     "ubuntu",
				     "unauthorized",
				     "undefined",
				     "unknown",
				     "update",
				     "updated",
				     "upload",
				     "uploading",
				     "user",
				     "username",
				     "utf-8",
				     "validate",
				     "value",
				     "variable",
				     "verbose",
				     "verify",
				     "version",
				     "volume",
				     "waiting",
				     "warn",
				     "warning",
				     "warnings",
				     "website",
				     "welcome",
				     "worker",
				     "workflow",
				     "workspace",
				     "write",
				     "yaml",
				     "yes"};

static bool one_byte(struct str s)
{
	for (size_t i = 1; i < s.len; i++)
		if (s.p[i] != s.p[0])
			return false;
	return s.len > 0 && s.len <= 32;
}

/* All digits in order, as in 12345678. */
static bool counts_up(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9' ||
		    (i && s.p[i] != (s.p[i - 1] == '9' ? '0' : s.p[i - 1] + 1)))
			return false;
	return s.len > 0;
}

static bool same_word(struct str s, const char *word)
{
	return (s.p[0] | 0x20) == (word[0] | 0x20) && strlen(word) == s.len &&
	       !strncasecmp(s.p, word, s.len);
}

bool redact_is_common(struct str s, const struct str *words, size_t n_words)
{
	s = str_trim(s);
	if (!s.len || one_byte(s) || counts_up(s))
		return true;
	/* The frame of a PEM block is in every key and certificate. */
	if (str_starts(s, STR("-----BEGIN ")) ||
	    str_starts(s, STR("-----END ")))
		if (s.len < 64 && str_ends(s, STR("-----")) &&
		    !memchr(s.p, '\n', s.len))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(common); i++)
		if (same_word(s, common[i]))
			return true;
	for (size_t i = 0; i < n_words; i++)
		if (str_eq(s, str_trim(words[i])))
			return true;
	return false;
}

bool redact_in_mark(struct str s)
{
	static const char partial[] = REDACT_MARK_PARTIAL;
	static const char mark[] = REDACT_MARK;

	if (s.len >= sizeof(partial) ||
	    (s.len && !memchr(partial, s.p[0], sizeof(partial) - 1)))
		return false;
	return memmem(mark, sizeof(mark) - 1, s.p, s.len) ||
	       memmem(partial, sizeof(partial) - 1, s.p, s.len);
}
