/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The JSON Schema and `nfo explain`, from the key table; see keys.h. */
#include "job/keys.h"

#include <inttypes.h>
#include <string.h>

static void text_schema(struct buf *b, const struct job_key *k)
{
	struct str rest = str_from(k->choices);
	bool first = true;

	buf_puts(b, "{\"type\":\"string\"");
	if (k->text == TEXT_NAME)
		buf_puts(b, ",\"pattern\":\"^[a-z][a-z0-9_-]{0,62}$\"");
	else if (k->text == TEXT_DURATION)
		buf_puts(b, ",\"pattern\":\"^[0-9]+[smhd]$\"");
	else if (k->text == TEXT_SIZE)
		buf_puts(b, ",\"pattern\":\"^[0-9]+[KMGT]?$\"");
	else if (k->text == TEXT_CPU)
		buf_puts(b, ",\"pattern\":\"^[0-9]+([.][0-9]{1,3})?$\"");
	else if (k->text == TEXT_ENUM) {
		buf_puts(b, ",\"enum\":[");
		while (rest.p) {
			struct str one = str_cut(&rest, '|');

			buf_printf(b, "%s\"" STR_FMT "\"", first ? "" : ",",
				   STR_ARG(one));
			first = false;
		}
		buf_puts(b, "]");
	}
	buf_puts(b, "}");
}

static void one_form(struct buf *b, const struct job_key *k, unsigned form)
{
	switch (form) {
	case FORM_TEXT:
		text_schema(b, k);
		break;
	case FORM_INT:
		buf_puts(b, k->text == TEXT_CPU ? "{\"type\":\"number\"" :
						  "{\"type\":\"integer\"");
		if (k->min || k->max)
			buf_printf(b,
				   ",\"minimum\":%" PRId64
				   ",\"maximum\":%" PRId64,
				   k->min, k->max);
		buf_puts(b, "}");
		break;
	case FORM_BOOL:
		buf_puts(b, "{\"type\":\"boolean\"}");
		break;
	case FORM_LIST:
		buf_puts(b, "{\"type\":\"array\",\"items\":{\"type\":"
			    "[\"string\",\"number\",\"boolean\"]}}");
		break;
	case FORM_OBJECT:
		buf_printf(b, "{\"$ref\":\"#/$defs/%s\"}", k->sub);
		break;
	case FORM_OBJECTS:
		buf_printf(b,
			   "{\"type\":\"array\",\"items\":{\"$ref\":"
			   "\"#/$defs/%s\"}}",
			   k->sub);
		break;
	case FORM_NAMED:
		buf_printf(
			b,
			"{\"type\":\"object\",\"propertyNames\":{\"pattern\""
			":\"^[a-z][a-z0-9_-]{0,62}$\"},"
			"\"additionalProperties\":{\"$ref\":\"#/$defs/%s\"}}",
			k->sub);
		break;
	case FORM_TEXTS:
		buf_puts(b, "{\"type\":\"object\",\"additionalProperties\":{"
			    "\"type\":[\"string\",\"number\",\"boolean\"]}}");
		break;
	default:
		buf_puts(b, strcmp(k->name, "tasks") ?
				    "true" :
				    "{\"oneOf\":[{\"type\":\"object\","
				    "\"additionalProperties\":{\"$ref\":"
				    "\"#/$defs/task\"}},{\"type\":\"array\","
				    "\"items\":{\"$ref\":\"#/$defs/task\"}}]}");
	}
}

static void key_schema(struct buf *b, const struct job_key *k)
{
	unsigned n = (unsigned)__builtin_popcount(k->forms);
	bool first = true;

	buf_printf(b, "\"%s\":{\"description\":\"", k->name);
	buf_json(b, str_from(k->help));
	buf_puts(b, " Example: ");
	buf_json(b, str_from(k->example));
	buf_puts(b, n > 1 ? "\",\"anyOf\":[" : "\",\"allOf\":[");
	for (unsigned form = 1; form <= FORM_ANY; form <<= 1) {
		if (!(k->forms & form))
			continue;
		if (!first)
			buf_putc(b, ',');
		one_form(b, k, form);
		first = false;
	}
	buf_puts(b, "]}");
}

static void object_schema(struct buf *b, const char *where)
{
	bool first = true;

	buf_puts(b, "\"type\":\"object\",\"additionalProperties\":false,"
		    "\"required\":[");
	for (size_t i = 0; i < job_n_keys; i++) {
		if (strcmp(job_keys[i].where, where) || !job_keys[i].required)
			continue;
		buf_printf(b, "%s\"%s\"", first ? "" : ",", job_keys[i].name);
		first = false;
	}
	buf_puts(b, "],\"properties\":{");
	first = true;
	for (size_t i = 0; i < job_n_keys; i++) {
		if (strcmp(job_keys[i].where, where) != 0)
			continue;
		if (!first)
			buf_putc(b, ',');
		key_schema(b, &job_keys[i]);
		first = false;
	}
	buf_puts(b, "}");
}

static bool seen(size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(job_keys[k].where, job_keys[i].where))
			return true;
	return false;
}

bool job_schema_json(struct buf *b)
{
	bool first = true;

	buf_puts(b, "{\"$schema\":\"https://json-schema.org/draft/2020-12/"
		    "schema\",\"title\":\"NotForOil job\",");
	object_schema(b, "job");
	buf_puts(b, ",\"$defs\":{");
	for (size_t i = 0; i < job_n_keys; i++) {
		if (!strcmp(job_keys[i].where, "job") || seen(i))
			continue;
		buf_printf(b, "%s\"%s\":{", first ? "" : ",",
			   job_keys[i].where);
		object_schema(b, job_keys[i].where);
		buf_puts(b, "}");
		first = false;
	}
	return buf_puts(b, "}}\n");
}

/* --- explain ------------------------------------------------------------ */

static const char *form_name(unsigned form)
{
	switch (form) {
	case FORM_TEXT:
		return "text";
	case FORM_INT:
		return "a whole number";
	case FORM_BOOL:
		return "true or false";
	case FORM_LIST:
		return "a list";
	case FORM_OBJECT:
		return "a map";
	case FORM_OBJECTS:
		return "a list of maps";
	case FORM_NAMED:
		return "a map of named maps";
	case FORM_TEXTS:
		return "a map of texts";
	default:
		return "see the reference";
	}
}

bool job_key_takes(const struct job_key *k, struct buf *b)
{
	static const char *const texts[] = {
		[TEXT_NAME] = "a name: [a-z][a-z0-9_-]*",
		[TEXT_DURATION] = "a time: 10s 5m 2h 30d",
		[TEXT_SIZE] = "a size: 64K 512M 1G",
		[TEXT_EXPRESSION] = "an expression",
		[TEXT_REGEX] = "a regular expression",
		[TEXT_CRON] = "a cron line",
		[TEXT_CPU] = "a number such as 0.5 or 2",
		[TEXT_TEMPLATE] = "text with ${{ }} in it",
	};
	bool first = true;

	for (unsigned form = 1; form <= FORM_ANY; form <<= 1) {
		if (!(k->forms & form))
			continue;
		buf_puts(b, first ? "" : ", or ");
		if (form == FORM_TEXT && k->text == TEXT_ENUM)
			buf_printf(b, "one of %s", k->choices);
		else if (form == FORM_TEXT && k->text)
			buf_puts(b, texts[k->text]);
		else
			buf_puts(b, form_name(form));
		first = false;
	}
	return !b->failed;
}

static void explain_one(struct buf *b, const struct job_key *k)
{
	buf_printf(b, "%s.%s\n  %s\n  example: %s\n  takes:   ", k->where,
		   k->name, k->help, k->example);
	(void)job_key_takes(k, b);
	buf_putc(b, '\n');
	if (k->min || k->max)
		buf_printf(b, "  range:   %" PRId64 " to %" PRId64 "\n", k->min,
			   k->max);
	if (k->fallback)
		buf_printf(b, "  default: %s\n", k->fallback);
	if (k->required)
		buf_puts(b, "  required\n");
	if (k->expressions)
		buf_puts(b, "  ${{ }} expressions are allowed\n");
	if (k->live > 1)
		buf_puts(b,
			 "  not supported yet: checked, and a run that needs "
			 "it is refused\n");
	if (k->sub) {
		buf_puts(b, "  keys:   ");
		for (size_t i = 0; i < job_n_keys; i++)
			if (!strcmp(job_keys[i].where, k->sub))
				buf_printf(b, " %s", job_keys[i].name);
		buf_putc(b, '\n');
	}
}

/* "timeout", "task.timeout", "sandbox.limits.memory": by the last parts. */
static bool named(const struct job_key *k, struct str name)
{
	const char *dot = name.len ? memrchr(name.p, '.', name.len) : NULL;
	struct str last = name, before;

	if (!dot)
		return str_is(name, k->name) || str_is(name, k->where);
	last = str_from_at(name, (size_t)(dot - name.p) + 1);
	before = str_n(name.p, (size_t)(dot - name.p));
	dot = memrchr(before.p, '.', before.len);
	if (dot)
		before = str_from_at(before, (size_t)(dot - before.p) + 1);
	return str_is(last, k->name) && str_is(before, k->where);
}

bool job_explain(struct str name, struct buf *b)
{
	bool any = false;

	for (size_t i = 0; i < job_n_keys; i++) {
		if (!named(&job_keys[i], name))
			continue;
		if (any)
			buf_putc(b, '\n');
		explain_one(b, &job_keys[i]);
		any = true;
	}
	return any;
}
