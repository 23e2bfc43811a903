/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* nfo-monitor's command line, which `nfo serve` makes: one table. */
#include "base/fd.h"
#include "base/log.h"
#include "role/monitor.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct monitor_opts, field)

static const struct {
	const char *name;
	enum {
		IS_TEXT,
		IS_NUMBER,
		IS_FLAG,
		IS_LISTENER,
		IS_SETTING,
		IS_TEXTS,
		IS_CGROUPS,
		IS_LOG_FORMAT,
		IS_LOG_LEVEL,
	} kind;
	size_t at; /* in struct monitor_opts; of a listener: its kind */
} table[] = {
	{"state",                 IS_TEXT,       AT(state)             },
	{"policy",                IS_TEXT,       AT(policy)            },
	{"socket",                IS_LISTENER,   LISTEN_UNIX           },
	{"listen",                IS_LISTENER,   LISTEN_TCP            },
	{"tls-listen",            IS_LISTENER,   LISTEN_TLS            },
	{"tls-cert",              IS_TEXT,       AT(tls[TLS_CERT])     },
	{"tls-key",               IS_TEXT,       AT(tls[TLS_KEY])      },
	{"tls-client-ca",         IS_TEXT,       AT(tls[TLS_CLIENT_CA])},
	{"plain-listen-anywhere", IS_FLAG,       AT(plain_anywhere)    },
	{"config",                IS_TEXT,       AT(config)            },
	{"set",		   IS_SETTING,    0                     },
	{"attach",                IS_TEXTS,      AT(attached)          },
	{"fetch",                 IS_TEXTS,      AT(fetch)             },
	{"fetch-ca",              IS_TEXTS,      AT(fetch_ca)          },
	{"secret-providers",      IS_NUMBER,     AT(providers_fd)      },
	{"cgroups",               IS_CGROUPS,    0                     },
	{"log-format",            IS_LOG_FORMAT, 0                     },
	{"log-level",             IS_LOG_LEVEL,  0                     },
	{"idle-exit",             IS_NUMBER,     AT(idle_exit_s)       },
	{"stop-ms",               IS_NUMBER,     AT(stop_ms)           },
	{"issuer",                IS_TEXT,       AT(issuer)            },
	{"identity-rotate",       IS_NUMBER,     AT(identity_rotate_s) },
	{"export-to",             IS_TEXTS,      AT(export_to)         },
	{"max-attempts",          IS_NUMBER,     AT(max_attempts)      },
	{"ready-fd",              IS_NUMBER,     AT(ready_fd)          },
	{"allow-no-landlock",     IS_FLAG,       AT(landlock_optional) },
};

static void wrong(const char *fmt, ...) NORETURN PRINTF_LIKE(1, 2);

/* As `nfo` does: 2 for what was asked wrongly. */
static void wrong(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("%s", text);
	exit(2);
}

static uint32_t number(const char *s, const char *what)
{
	uint64_t v;

	if (str_to_u64(str_from(s), INT32_MAX, &v))
		wrong("--%s %s: not a number", what, s);
	return (uint32_t)v;
}

static void add_listener(struct monitor_opts *o, enum listen_kind kind,
			 const char *where)
{
	if (o->n_listens == INIT_LISTENERS_MAX)
		wrong("more than %d sockets to listen on", INIT_LISTENERS_MAX);
	o->listens[o->n_listens++] = (struct listen_opt){kind, where};
}

static void add_setting(struct monitor_opts *o, const char *text)
{
	if (o->n_settings == SETTINGS_MAX)
		wrong("more than %d settings", SETTINGS_MAX);
	o->settings[o->n_settings++] = text;
}

static unsigned word(const char *s, const char *what, const char *const *words,
		     unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(s, words[i]))
			return i;
	wrong("--%s %s: no such one", what, s);
}

static void add_text(struct opt_texts *to, const char *name, const char *text)
{
	if (to->n == OPT_TEXTS_MAX)
		wrong("more than %d --%s", OPT_TEXTS_MAX, name);
	to->items[to->n++] = text;
}

static bool required(const char *s)
{
	if (strcmp(s, "require") != 0 && strcmp(s, "prefer") != 0)
		wrong("--cgroups is require or prefer");
	return !strcmp(s, "require");
}

static void take(struct monitor_opts *o, size_t i, const char *arg)
{
	static const char *const formats[] = {"plain", "kv", "json"};
	static const char *const levels[] = {"error", "warn", "info", "debug"};
	void *to = (char *)o + table[i].at;

	switch (table[i].kind) {
	case IS_TEXT:
		*(const char **)to = arg;
		break;
	case IS_NUMBER:
		*(uint32_t *)to = number(arg, table[i].name);
		break;
	case IS_FLAG:
		*(bool *)to = true;
		break;
	case IS_LISTENER:
		add_listener(o, (enum listen_kind)table[i].at, arg);
		break;
	case IS_SETTING:
		add_setting(o, arg);
		break;
	case IS_TEXTS:
		add_text(to, table[i].name, arg);
		break;
	case IS_CGROUPS:
		o->cgroups_required = required(arg);
		break;
	case IS_LOG_FORMAT:
		o->log_format =
			word(arg, table[i].name, formats, N_LOG_FORMATS);
		break;
	case IS_LOG_LEVEL:
		o->log_level = word(arg, table[i].name, levels, N_LOG_LEVELS);
		break;
	}
}

static void check_tls(struct monitor_opts *o)
{
	if (!o->tls[TLS_CERT] != !o->tls[TLS_KEY])
		wrong("--tls-cert and --tls-key go together");
	for (size_t i = 0; i < o->n_listens; i++)
		if (o->listens[i].kind == LISTEN_TLS && !o->tls[TLS_CERT])
			wrong("--tls-listen: --tls-cert and --tls-key are "
			      "needed");
	if (o->tls[TLS_CLIENT_CA] && !o->tls[TLS_CERT])
		wrong("--tls-client-ca: --tls-cert is needed");
}

void options_parse(struct monitor_opts *o, int argc, char **argv)
{
	struct option longs[ARRAY_LEN(table) + 1] = {0};
	int c;

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		longs[i] = (struct option){.name = table[i].name,
					   .has_arg = table[i].kind == IS_FLAG ?
							      no_argument :
							      required_argument,
					   .val = (int)i + 1};
	o->ready_fd = o->providers_fd = -1;
	o->max_attempts = 256;
	o->stop_ms = 10000;
	o->issuer = "https://localhost";
	o->identity_rotate_s = 30 * 86400;
	o->log_level = LOG_LEVEL_INFO;
	o->log_journal = log_is_journal();
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == '?')
			exit(2);
		take(o, (size_t)c - 1, optarg);
	}
	if (!o->state || !o->policy)
		wrong("--state and --policy are needed (start it with `nfo "
		      "serve`)");
	if (strlen(o->issuer) > ISSUER_MAX || !o->identity_rotate_s)
		wrong("--issuer, --identity-rotate: out of range");
	for (size_t i = 0; i < o->export_to.n; i++)
		if (strlen(o->export_to.items[i]) > EXPORT_TO_LEN)
			wrong("--export-to: too long");
	check_tls(o);
	if (o->ready_fd >= 0)
		(void)fcntl(o->ready_fd, F_SETFD, FD_CLOEXEC);
	if (o->providers_fd >= 0)
		(void)fcntl(o->providers_fd, F_SETFD, FD_CLOEXEC);
}
