/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Which call starts a run, and with what; see hook.h. */
#include "hook/hook.h"
#include "job/job.h"

const struct doc_node *hook_list(const struct doc_node *root)
{
	return doc_get(doc_get(root, "triggers"), "webhook");
}

const struct doc_node *hook_find(const struct doc_node *root, struct str name)
{
	const struct doc_node *list = hook_list(root);

	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next)
		if (str_eq(job_text(doc_get(n, "name"), ""), name))
			return n;
	return NULL;
}

int hook_secret_ref(const struct doc_node *root, struct str project,
		    const struct doc_node *hook, struct buf *b, struct err *e)
{
	const struct doc_node *decl =
		doc_get_str(doc_get(root, "secrets"),
			    job_text(doc_get(hook, "secret"), ""));
	struct str name = job_text(doc_get(decl, "store"), "");
	struct str version = job_text(doc_get(decl, "version"), "");

	if (!name.len)
		return err_set(e, ERR_INVALID, "the hook has no secret");
	buf_puts(b, "store:");
	if (!str_has(name, '/')) {
		buf_str(b, project);
		buf_putc(b, '/');
	}
	buf_str(b, name);
	if (version.len) {
		buf_puts(b, "?version=");
		buf_str(b, version);
	}
	return b->failed ? err_set(e, ERR_LIMIT, "a reference too long") : 0;
}

/* A scalar's text; false for what is not there or no scalar. */
static bool text_at(struct str place, struct doc_node *body, struct str event,
		    struct str *ret)
{
	const struct doc_node *n;

	if (str_is(place, "event")) {
		*ret = event;
		return true;
	}
	n = doc_pointer(body, place);
	if (!n || (n->kind != DOC_STRING && n->kind != DOC_INT &&
		   n->kind != DOC_BOOL))
		return false;
	*ret = n->text;
	return true;
}

static bool is_one_of(struct str s, const struct doc_node *values)
{
	if (values->kind != DOC_LIST)
		return str_eq(s, values->text);
	for (const struct doc_node *v = values->first; v; v = v->next)
		if (str_eq(s, v->text))
			return true;
	return false;
}

bool hook_matches(const struct doc_node *hook, struct doc_node *body,
		  struct str event)
{
	const struct doc_node *match = doc_get(hook, "match");

	for (const struct doc_node *n = match ? match->first : NULL; n;
	     n = n->next) {
		struct str s;

		if (!text_at(n->key, body, event, &s) || !is_one_of(s, n))
			return false;
	}
	return true;
}

/* The name was checked: nothing in it wants escaping. */
static int add_input(const char *sep, struct str name, const struct doc_node *v,
		     struct str event, struct buf *b, struct err *e)
{
	buf_printf(b, "%s\"" STR_FMT "\":", sep, STR_ARG(name));
	if (v)
		return doc_write_canonical(v, b, e);
	buf_putc(b, '"');
	buf_json(b, event);
	buf_putc(b, '"');
	return 0;
}

int hook_inputs(const struct doc_node *root, const struct doc_node *hook,
		struct doc_node *body, struct str event, struct buf *b,
		struct err *e)
{
	const struct doc_node *map = doc_get(hook, "inputs");
	const struct doc_node *decls = doc_get(root, "inputs");
	const char *sep = "{";

	for (const struct doc_node *n = map ? map->first : NULL; n;
	     n = n->next) {
		bool is_event = str_is(n->text, "event");
		const struct doc_node *v =
			is_event ? NULL : doc_pointer(body, n->text);

		if (is_event ? !event.len : !v || v->kind == DOC_NULL) {
			if (doc_get(doc_get_str(decls, n->key), "default"))
				continue;
			return err_set(e, ERR_INVALID,
				       "input \"" STR_FMT
				       "\": nothing at " STR_FMT
				       ", and no default",
				       STR_ARG(n->key), STR_ARG(n->text));
		}
		if (add_input(sep, n->key, v, event, b, e))
			return -1;
		sep = ",";
	}
	buf_puts(b, *sep == '{' ? "{}" : "}");
	return b->failed ? err_set(e, ERR_LIMIT, "the inputs are too long") : 0;
}
