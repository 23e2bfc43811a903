/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A reload: all that the monitor has read is judged first, and only when
 * nothing is wrong anything changes.  A setting that needs a restart keeps the
 * value that the server was started with.
 */
#include "api/reload.h"
#include "api/internal.h"
#include "base/fd.h"
#include "base/mem.h"
#include "policy/policy.h"

enum {
	POLICIES_MAX = 16 << 20,
	TOLD_MAX = 1 << 16
};

static int read_config(struct api *a, int fd, struct config **ret,
		       struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(CONFIG_BUNDLE_MAX);
	char name[CONFIG_TEXT_MAX];

	if (fd_memfd_read(fd, &b, e))
		return -1;
	if (!config_decode(buf_view(&b), ret, name, &a->reloaded->problems))
		return 0;
	config_tell(&a->reloaded->problems, name);
	return err_set(e, ERR_INVALID, "the settings are wrong");
}

static int check_policies(int fd, struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(POLICIES_MAX);
	struct policy_set *set;

	if (fd_memfd_read(fd, &b, e) ||
	    policy_set_decode(buf_view(&b), &set, e))
		return -1;
	policy_set_free(set);
	return 0;
}

static bool differs(const struct config *x, const struct config *y,
		    const struct config_key *k)
{
	CLEANUP_BUF struct buf bx = BUF_INIT(CONFIG_ARENA_MAX);
	CLEANUP_BUF struct buf by = BUF_INIT(CONFIG_ARENA_MAX);

	(void)config_value_json(x, k, &bx);
	(void)config_value_json(y, k, &by);
	return !str_eq(buf_view(&bx), buf_view(&by));
}

/* Settings that are other now, or would be after a restart. */
static void tell_keys(const struct api *a, const struct config *c, bool restart,
		      struct buf *b)
{
	size_t n = 0;
	char path[80];

	buf_putc(b, '[');
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *k = &config_keys[i];

		if (!config_key_is_told(k) || k->restart != restart ||
		    !differs(restart ? a->started : a->config, c, k))
			continue;
		config_key_path(k, path);
		buf_printf(b, "%s\"%s\"", n++ ? "," : "", path);
		if (restart)
			log_warn("%s: a restart changes it, not a reload",
				 path);
	}
	buf_putc(b, ']');
}

static void tell(const struct api *a, const struct config *c,
		 const struct control_anew *n)
{
	struct buf *b = &a->reloaded->told;

	buf_puts(b, "{\"settings\":");
	tell_keys(a, c, false, b);
	buf_puts(b, ",\"needs_restart\":");
	tell_keys(a, c, true, b);
	buf_printf(b, ",\"policies\":%s,\"certificate\":%s}\n",
		   n->policies_changed ? "true" : "false",
		   n->n_tls ? "true" : "false");
}

static void change(struct api *a, struct config *c)
{
	const struct config *old = a->config;

	api_configure(a, c);
	if (a->configured)
		a->configured(a->configured_ctx, c);
	if (old != a->started)
		config_free((struct config *)(uintptr_t)old);
}

int reload_take(void *ctx, const struct control_anew *n,
		enum log_format *ret_format, enum log_level *ret_level,
		struct err *e)
{
	struct api *a = ctx;
	struct config *c;

	if (!a->reloaded)
		a->reloaded = mem_alloc(sizeof(*a->reloaded));
	a->reloaded->problems = (struct problems){.n = 0};
	buf_done(&a->reloaded->told);
	a->reloaded->told = BUF_INIT(TOLD_MAX);
	if (read_config(a, n->config, &c, e))
		return -1;
	if (check_policies(n->policies, e) ||
	    (n->n_tls && http_tls_change(a->http, n->tls, n->n_tls, e))) {
		config_free(c);
		return -1;
	}
	tell(a, c, n);
	change(a, c);
	log_change(c->log.format == CONFIG_LOG_JSON ? LOG_JSON : LOG_KV,
		   (enum log_level)c->log.level);
	*ret_format = log_format();
	*ret_level = (enum log_level)c->log.level;
	return 0;
}

void reload_end(struct api *a)
{
	if (a->config != a->started)
		config_free((struct config *)(uintptr_t)a->config);
	config_free(a->started);
	if (a->reloaded)
		buf_done(&a->reloaded->told);
	mem_free(a->reloaded);
}
