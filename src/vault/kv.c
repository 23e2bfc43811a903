/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The KV engines: paths and answers; see kv.h. */
#include "vault/kv.h"

#include "base/mem.h"
#include "vault/call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- paths -------------------------------------------------------------- */

int kv_path(struct str mount, uint8_t kv, struct str rest, uint64_t version,
	    struct buf *ret, struct err *e)
{
	if (version && kv == 1)
		return err_set(e, ERR_INVALID,
			       "\"" STR_FMT "\" is a KV engine of version 1, "
			       "which keeps no versions",
			       STR_ARG(mount));
	buf_puts(ret, "v1/");
	call_path(ret, mount);
	buf_puts(ret, kv == 2 ? "/data/" : "/");
	call_path(ret, rest);
	if (version)
		buf_printf(ret, "?version=%" PRIu64, version);
	return ret->failed ? err_set(e, ERR_LIMIT, "the path is too long") : 0;
}

int kv_mount_path(struct str path, struct buf *ret)
{
	buf_puts(ret, "v1/sys/internal/ui/mounts/");
	return call_path(ret, path) ? 0 : -1;
}

/* options is null, or has version as a text. */
static uint8_t version_of(const json_t *data)
{
	const char *type = json_string_value(json_object_get(data, "type"));
	const json_t *options = json_object_get(data, "options");
	const char *v = json_string_value(json_object_get(options, "version"));

	if (!type || (strcmp(type, "kv") != 0 && strcmp(type, "generic") != 0))
		return 0;
	return v && !strcmp(v, "2") ? 2 : 1;
}

int kv_mount_read(const struct vault_answer *a, struct str path,
		  char mount[SECRET_REF_PATH_MAX + 1], uint8_t *ret_version,
		  struct err *e)
{
	struct str at;

	if (!a->data || answer_text(a->data, "path", &at, e))
		return err_set(e, ERR_INTERNAL,
			       "the answer about the mount has no path");
	if (at.len && at.p[at.len - 1] == '/')
		at.len--;
	if (at.len && str_eq(at, path))
		return err_set(e, ERR_INVALID,
			       STR_FMT ": this is the engine itself; a path in "
				       "it is wanted",
			       STR_ARG(path));
	if (!at.len || at.len >= path.len || !str_starts(path, at) ||
	    path.p[at.len] != '/')
		return err_set(e, ERR_INTERNAL,
			       "the answer is about another mount");
	memcpy(mount, at.p, at.len);
	mount[at.len] = '\0';
	*ret_version = version_of(a->data);
	return 0;
}

/* --- values ------------------------------------------------------------- */

/* With the fewest digits that mean the same number. */
static char *real_text(double v)
{
	char *s = mem_alloc(40);

	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(s, 40, "%.*g", digits, v);
		if (strtod(s, NULL) == v)
			break;
	}
	return s;
}

/* Texts as they are; anything else as JSON, in *made, to be freed. */
static void value_of(const json_t *v, struct field *f, char **made)
{
	const char *s = json_string_value(v);
	size_t len = json_string_length(v);

	*made = NULL;
	if (json_is_real(v)) {
		s = *made = real_text(json_real_value(v));
		len = strlen(s);
	} else if (!s) {
		s = *made = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
		len = s ? strlen(s) : 0;
	}
	f->value = (struct secret_view){(const unsigned char *)s, len};
}

static void free_made(const json_t *v, char *made)
{
	if (!made)
		return;
	mem_wipe(made, strlen(made));
	if (json_is_real(v)) {
		mem_free(made);
	} else {
		json_free_t free_it;

		json_get_alloc_funcs(NULL, &free_it);
		free_it(made);
	}
}

int kv_pack(const json_t *o, struct secret **ret, struct err *e)
{
	struct field fields[FIELDS_MAX];
	char *made[FIELDS_MAX];
	const json_t *from[FIELDS_MAX];
	const char *key;
	json_t *v;
	size_t n = 0;
	int bad;

	if (json_object_size(o) > FIELDS_MAX)
		return err_set(e, ERR_LIMIT, "it has more than %d fields",
			       FIELDS_MAX);
	json_object_foreach((json_t *)(uintptr_t)o, key, v)
	{
		if (json_is_null(v))
			continue;
		fields[n].name = str_from(key);
		from[n] = v;
		value_of(v, &fields[n], &made[n]);
		n++;
	}
	bad = fields_pack(fields, n, ret, e);
	for (size_t i = 0; i < n; i++)
		free_made(from[i], made[i]);
	return bad;
}

/* --- answers ------------------------------------------------------------ */

static int gone(const struct vault_answer *a, const char *what, struct err *e)
{
	const json_t *meta = json_object_get(a->data, "metadata");
	const json_t *v = json_object_get(meta, "version");
	json_int_t version = json_integer_value(v);

	if (a->wrong_path)
		return err_set(e, ERR_NOT_FOUND,
			       "%s: this is a KV engine of version 2, and was "
			       "asked as one of version 1",
			       what);
	if (!json_is_object(meta))
		return err_set(e, ERR_NOT_FOUND, "%s: there is nothing%s%s",
			       what, a->errors[0] ? ": " : "", a->errors);
	return err_set(
		e, ERR_NOT_FOUND, "%s: version %" JSON_INTEGER_FORMAT " was %s",
		what, version,
		json_is_true(json_object_get(meta, "destroyed")) ? "destroyed" :
								   "deleted");
}

int kv_not_inside(const json_t *data, const char *what, struct err *e)
{
	const json_t *value = json_object_get(data, "data");
	const json_t *meta = json_object_get(data, "metadata");

	if ((!json_is_object(value) && !json_is_null(value)) ||
	    !json_is_integer(json_object_get(meta, "version")) ||
	    !json_is_string(json_object_get(meta, "created_time")))
		return 0;
	return err_set(e, ERR_DENIED,
		       "%s: this is the inside of a KV engine of version 2: "
		       "read it as MOUNT/PATH without `data`, of kind kv",
		       what);
}

/* null is none. */
static bool has_fields(const json_t *o)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)o, key, v)
	{
		if (!json_is_null(v))
			return true;
	}
	return false;
}

int kv_fields(const struct vault_answer *a, uint8_t kv, const char *what,
	      struct secret **ret, struct err *e)
{
	const json_t *data = a->data;

	if (a->status == 404)
		return gone(a, what, e);
	if (data && kv == 2)
		data = json_object_get(data, "data");
	if (json_is_null(data) && kv == 2)
		return gone(a, what, e);
	if (!json_is_object(data))
		return err_set(e, ERR_INTERNAL,
			       "%s: the answer has no data%s%s", what,
			       a->warnings[0] ? ": " : "", a->warnings);
	if (kv == 1 && kv_not_inside(data, what, e))
		return -1;
	if (!has_fields(data))
		return err_set(e, ERR_NOT_FOUND, "%s: it has no fields", what);
	return kv_pack(data, ret, e) ? err_wrap(e, "%s", what) : 0;
}
