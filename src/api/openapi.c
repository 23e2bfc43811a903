/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The OpenAPI 3.1 document, written from the route table. */
#include "api/route.h"
#include "api/schemas.h"

#include <string.h>

static void put_text(struct buf *b, const char *key, const char *text)
{
	buf_printf(b, "\"%s\":\"", key);
	buf_json(b, str_from(text));
	buf_puts(b, "\"");
}

static void put_parameter(struct buf *b, bool *first, const char *name,
			  size_t len, const char *in, const char *type,
			  const char *text)
{
	buf_printf(b, "%s{\"name\":\"%.*s\",\"in\":\"%s\",\"required\":%s,",
		   *first ? "" : ",", (int)len, name, in,
		   strcmp(in, "path") ? "false" : "true");
	put_text(b, "description", text);
	buf_printf(b, ",\"schema\":{\"type\":\"%s\"}}", type);
	*first = false;
}

static void put_parameters(struct buf *b, const struct route *r)
{
	bool first = true;

	buf_puts(b, ",\"parameters\":[");
	for (const char *p = strchr(r->path, '{'); p; p = strchr(p, '{')) {
		const char *end = strchr(++p, '}');

		put_parameter(b, &first, p, (size_t)(end - p), "path", "string",
			      "");
	}
	for (size_t i = 0; i < ROUTE_QUERY_MAX && r->query[i].name; i++)
		put_parameter(b, &first, r->query[i].name,
			      strlen(r->query[i].name), "query",
			      r->query[i].type, r->query[i].text);
	if (route_makes(r))
		put_parameter(b, &first, "Idempotency-Key", 15, "header",
			      "string",
			      "the same key and body again: the first answer "
			      "again, kept for 24 h");
	buf_puts(b, "]");
}

static void put_type(struct buf *b, size_t i, const char *type,
		     const char *takes)
{
	buf_printf(b, "%s\"%s\":{", i ? "," : "", type);
	if (takes && !strcmp(type, "application/json"))
		buf_printf(b,
			   "\"schema\":{\"$ref\":\"#/components/schemas/%s\"}",
			   takes);
	buf_putc(b, '}');
}

static void put_body(struct buf *b, const struct route *r)
{
	const char *const *types = route_body_types(r->body);

	if (r->body == BODY_NONE)
		return;
	buf_printf(b, ",\"requestBody\":{\"required\":%s,\"content\":{",
		   r->body == BODY_ORDER ? "false" : "true");
	for (size_t i = 0; types[i]; i++)
		put_type(b, i, types[i], r->takes);
	buf_puts(b, "}}");
}

/* What one status may come with: every row that has it. */
static void put_content(struct buf *b, const struct route *r, unsigned status)
{
	const char *sep = ",\"content\":{";

	for (size_t i = 0; i < ROUTE_ANSWERS_MAX && r->answers[i].status; i++) {
		const struct route_answer *a = &r->answers[i];

		if (a->status != status || !a->type)
			continue;
		buf_printf(b, "%s\"%s\":{", sep, a->type);
		if (a->schema)
			buf_printf(b,
				   "\"schema\":{\"$ref\":"
				   "\"#/components/schemas/%s\"}",
				   a->schema);
		buf_putc(b, '}');
		sep = ",";
	}
	if (*sep != ',' || sep[1])
		return;
	buf_putc(b, '}');
}

#define PROBLEM_CONTENT                                                        \
	"\"content\":{\"application/problem+json\":{\"schema\":{\"$ref\":"     \
	"\"#/components/schemas/Problem\"}}}"

static void put_answers(struct buf *b, const struct route *r)
{
	unsigned before = 0;

	buf_puts(b, ",\"responses\":{");
	for (size_t i = 0; i < ROUTE_ANSWERS_MAX && r->answers[i].status; i++) {
		const struct route_answer *a = &r->answers[i];

		if (a->status == before) /* rows of one status are together */
			continue;
		buf_printf(b, "%s\"%u\":{", i ? "," : "", a->status);
		put_text(b, "description", a->text);
		if (a->status >= 400 && !a->type)
			buf_puts(b, "," PROBLEM_CONTENT);
		put_content(b, r, a->status);
		buf_puts(b, "}");
		before = a->status;
	}
	buf_puts(b,
		 ",\"default\":{\"description\":\"a problem\"," PROBLEM_CONTENT
		 "}}");
}

/* Who may, for readers and for the test that tries every role. */
static void put_permission(struct buf *b, const struct route *r)
{
	static const char *const roles[] = {
		[MAY_NOBODY] = "nobody",    [MAY_ANYBODY] = "anybody",
		[MAY_KNOWN] = "known",      [MAY_VIEW] = "viewer",
		[MAY_OPERATE] = "operator", [MAY_DEVELOP] = "developer",
		[MAY_ADMIN] = "admin",
	};
	static const char *const of[] = {
		[OF_SERVER] = "server",
		[OF_PROJECT] = "project",
		[OF_RUN] = "run",
		[OF_ANY] = "any",
	};

	buf_printf(b, ",\"x-nfo-role\":\"%s\",\"x-nfo-scope\":\"%s\"",
		   roles[r->may], of[r->of]);
}

static void put_operation(struct buf *b, const struct route *r)
{
	static const char *const names[] = {"get", "post", "put", "delete"};

	buf_printf(b, "\"%s\":{\"operationId\":\"%s\",", names[r->method],
		   r->id);
	put_text(b, "summary", r->summary);
	put_parameters(b, r);
	put_body(b, r);
	put_answers(b, r);
	put_permission(b, r);
	if (r->may == MAY_ANYBODY)
		buf_puts(b, ",\"security\":[]");
	buf_puts(b, "}");
}

/* Was this path written already, with an earlier route? */
static bool seen(size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(route_at(k)->path, route_at(i)->path))
			return true;
	return false;
}

/* Every operation of a path, from its first route on. */
static void put_path(struct buf *b, size_t i)
{
	const char *path = route_at(i)->path;
	const struct route *r;

	for (size_t k = i; (r = route_at(k)); k++) {
		if (strcmp(r->path, path) != 0)
			continue;
		if (k > i)
			buf_putc(b, ',');
		put_operation(b, r);
	}
}

bool route_openapi(struct buf *b, const char *base)
{
	buf_puts(b, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"NotForOil\","
		    "\"version\":\"1\",\"license\":{\"name\":"
		    "\"AGPL-3.0-or-later\",\"identifier\":"
		    "\"AGPL-3.0-or-later\"}},\"security\":[{\"bearer\":[]}],");
	if (*base)
		buf_printf(b, "\"servers\":[{\"url\":\"%s\"}],", base);
	buf_puts(b, "\"paths\":{");
	for (size_t i = 0; route_at(i); i++) {
		if (seen(i))
			continue;
		buf_printf(b, "%s\"%s\":{", i ? "," : "", route_at(i)->path);
		put_path(b, i);
		buf_puts(b, "}");
	}
	buf_puts(b, "},\"components\":{\"securitySchemes\":{\"bearer\":{"
		    "\"type\":\"http\",\"scheme\":\"bearer\"}},");
	openapi_schemas(b);
	return buf_puts(b, "}}\n");
}
