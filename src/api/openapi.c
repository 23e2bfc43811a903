/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The OpenAPI 3.1 document, written from the route table. */
#include "api/route.h"

#include <string.h>

#define STRING   "{\"type\":\"string\"}"
#define INTEGER  "{\"type\":\"integer\"}"
#define MAYBE(t) "{\"type\":[\"" t "\",\"null\"]}"

/* The shapes that answers name; additional properties stay possible. */
static const struct {
	const char *name, *json;
} schemas[] = {
	{"Status",        "{\"type\":\"object\",\"required\":[\"status\"],"
		   "\"properties\":{\"status\":" STRING "}}"                },
	{"Index",         "{\"type\":\"object\",\"required\":[\"name\",\"version\","
		  "\"source_url\"],\"properties\":{\"name\":" STRING
		  ",\"version\":" STRING ",\"source_url\":" STRING "}}"      },
	{"Version",       "{\"type\":\"object\",\"required\":[\"version\",\"api\"],"
		    "\"properties\":{\"version\":" STRING ",\"api\":" STRING
		    ",\"format\":" INTEGER "}}"                            },
	{"Whoami",        "{\"type\":\"object\",\"required\":[\"name\",\"roles\"],"
		   "\"properties\":{\"name\":" STRING ",\"roles\":{\"type\":"
		   "\"array\",\"items\":" STRING "}}}"                      },
	{"Validated",
	 "{\"type\":\"object\",\"required\":[\"valid\","
	 "\"definition_digest\"],\"properties\":{\"valid\":{\"type\":"
	 "\"boolean\"},\"definition_digest\":" STRING "}}"                                    },
	{"Task",
	 "{\"type\":\"object\",\"required\":[\"name\",\"state\",\"attempt\"],"
	 "\"properties\":{\"name\":" STRING
	 ",\"state\":{\"$ref\":\"#/components/schemas/State\"},"
	 "\"kind\":" MAYBE(
		 "string") ",\"attempt\":" INTEGER
			   ",\"exit_code\":" MAYBE("integer") ",\"signal\":" MAYBE(
				   "integer") "}}"                                            },
	{"State",         "{\"type\":\"string\",\"enum\":[\"queued\",\"blocked\","
		  "\"running\",\"succeeded\",\"failed\",\"cancelled\","
		  "\"skipped\"]}"					    },
	{"Run",
	 "{\"type\":\"object\",\"required\":[\"id\",\"project\",\"job\","
	 "\"state\",\"created_at\"],\"properties\":{\"id\":{\"type\":"
	 "\"string\",\"pattern\":\"^run_[0-9A-HJKMNP-TV-Z]{26}$\"},"
	 "\"project\":" STRING ",\"job\":" STRING
	 ",\"state\":{\"$ref\":\"#/components/schemas/State\"},"
	 "\"kind\":" MAYBE(
		 "string") ",\"created_at\":" STRING
			   ",\"tasks\":{\"type\":\"array\",\"items\":{\"$ref\":"
			   "\"#/components/schemas/Task\"}}}}"                                },
	{"Job",
	 "{\"type\":\"object\",\"required\":[\"project\",\"name\","
	 "\"definition_digest\",\"created_at\",\"changed_at\"],"
	 "\"properties\":{\"project\":" STRING ",\"name\":" STRING
	 ",\"description\":" STRING
	 ",\"definition_digest\":{\"$ref\":\"#/components/schemas/Digest\"}"
	 ",\"syntax\":" STRING ",\"created_at\":" STRING
	 ",\"changed_at\":" STRING ",\"changed_by\":" STRING
	 ",\"definition\":{\"type\":\"object\"}}}"                                            },
	{"Digest",
	 "{\"type\":\"string\",\"pattern\":\"^sha256:[0-9a-f]{64}$\"}"                        },
	{"Revision",
	 "{\"type\":\"object\",\"required\":[\"definition_digest\","
	 "\"current\",\"created_at\"],\"properties\":{"
	 "\"definition_digest\":{\"$ref\":\"#/components/schemas/Digest\"}"
	 ",\"current\":{\"type\":\"boolean\"},\"syntax\":" STRING
	 ",\"created_at\":" STRING ",\"created_by\":" STRING
	 ",\"definition\":{\"type\":\"object\"}}}"                                            },
	{"Diff",
	 "{\"type\":\"object\",\"required\":[\"from\",\"to\",\"changes\"],"
	 "\"properties\":{\"from\":{\"$ref\":\"#/components/schemas/Digest\"}"
	 ",\"to\":{\"$ref\":\"#/components/schemas/Digest\"},\"changes\":{"
	 "\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":["
	 "\"op\",\"pointer\"],\"properties\":{\"op\":{\"type\":\"string\","
	 "\"enum\":[\"add\",\"remove\",\"replace\"]},\"pointer\":" STRING
	 ",\"from\":{},\"to\":{}}}}}}"							},
	{"Artifact",
	 "{\"type\":\"object\",\"required\":[\"name\",\"file\",\"size\","
	 "\"sha256\"],\"properties\":{\"name\":" STRING ",\"file\":" STRING
	 ",\"size\":" INTEGER ",\"sha256\":" STRING "}}"                                      },
	{"SecretVersion", "{\"type\":\"object\",\"required\":[\"version\"],"
			  "\"properties\":{\"version\":" INTEGER "}}"},
	{"Secret",        "{\"type\":\"object\",\"required\":[\"name\"],"
		   "\"properties\":{\"name\":" STRING "}}"                  },
	{"Problem",
	 "{\"type\":\"object\",\"required\":[\"status\",\"code\","
	 "\"request_id\"],\"properties\":{\"type\":" STRING ",\"title\":" STRING
	 ",\"status\":" INTEGER ",\"code\":" STRING ",\"detail\":" STRING
	 ",\"request_id\":" STRING
	 ",\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
	 "\"properties\":{\"code\":" STRING ",\"pointer\":" STRING
	 ",\"line\":" INTEGER ",\"column\":" INTEGER ",\"message\":" STRING
	 ",\"hint\":" STRING "}}}}}"							  },
};

static const char *const pages[] = {"Run",    "Task", "Artifact",
				    "Secret", "Job",  "Revision"};

static void put_schemas(struct buf *b)
{
	buf_puts(b, "\"schemas\":{");
	for (size_t i = 0; i < ARRAY_LEN(schemas); i++)
		buf_printf(b, "%s\"%s\":%s", i ? "," : "", schemas[i].name,
			   schemas[i].json);
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		buf_printf(b,
			   ",\"%sPage\":{\"type\":\"object\",\"required\":"
			   "[\"items\",\"next_cursor\"],\"properties\":{"
			   "\"items\":{\"type\":\"array\",\"items\":{\"$ref\":"
			   "\"#/components/schemas/%s\"}},\"next_cursor\":%s}}",
			   pages[i], pages[i], MAYBE("string"));
	buf_puts(b, "}");
}

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
	buf_puts(b, "]");
}

static void put_body(struct buf *b, const struct route *r)
{
	static const char *const types[][5] = {
		[BODY_NONE] = {NULL                  },
		[BODY_JSON] = { "application/json",                  NULL},
		[BODY_JOB] = { "application/yaml",    "application/json",
			       "application/toml", "text/x-shellscript", NULL},
		[BODY_RUN] = {       "application/json",                  "application/yaml",
			       "application/toml", "multipart/form-data", NULL},
		[BODY_ORDER] = {                  "application/json","multipart/form-data",
                               NULL},
		[BODY_BYTES] = {       "application/octet-stream",                  "application/json",
                               NULL},
		[BODY_ANY] = {                  "*/*",               NULL},
	};

	if (r->body == BODY_NONE)
		return;
	buf_printf(b, ",\"requestBody\":{\"required\":%s,\"content\":{",
		   r->body == BODY_ORDER ? "false" : "true");
	for (size_t i = 0; types[r->body][i]; i++)
		buf_printf(b, "%s\"%s\":{}", i ? "," : "", types[r->body][i]);
	buf_puts(b, "}}");
}

static void put_answers(struct buf *b, const struct route *r)
{
	buf_puts(b, ",\"responses\":{");
	for (size_t i = 0; i < ROUTE_ANSWERS_MAX && r->answers[i].status; i++) {
		const struct route_answer *a = &r->answers[i];

		buf_printf(b, "%s\"%u\":{", i ? "," : "", a->status);
		put_text(b, "description", a->text);
		if (a->status >= 400 && !a->type)
			buf_puts(b, ",\"content\":{\"application/problem+json\""
				    ":{\"schema\":{\"$ref\":"
				    "\"#/components/schemas/Problem\"}}}");
		else if (a->type && a->schema)
			buf_printf(b,
				   ",\"content\":{\"%s\":{\"schema\":{\"$ref\":"
				   "\"#/components/schemas/%s\"}}}",
				   a->type, a->schema);
		else if (a->type)
			buf_printf(b, ",\"content\":{\"%s\":{}}", a->type);
		buf_puts(b, "}");
	}
	buf_puts(b, ",\"default\":{\"description\":\"a problem\",\"content\":{"
		    "\"application/problem+json\":{\"schema\":{\"$ref\":"
		    "\"#/components/schemas/Problem\"}}}}}");
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
	if (r->may == MAY_ANYBODY)
		buf_puts(b, ",\"security\":[]");
	buf_puts(b, "}");
}

/* Was this path written already, with an earlier route? */
static bool seen(size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(routes[k].path, routes[i].path))
			return true;
	return false;
}

bool route_openapi(struct buf *b)
{
	buf_puts(b, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"NotForOil\","
		    "\"version\":\"1\",\"license\":{\"name\":"
		    "\"AGPL-3.0-or-later\",\"identifier\":"
		    "\"AGPL-3.0-or-later\"}},\"security\":[{\"bearer\":[]}],"
		    "\"paths\":{");
	for (size_t i = 0, n = 0; i < n_routes; i++) {
		bool first = true;

		if (seen(i))
			continue;
		buf_printf(b, "%s\"%s\":{", n++ ? "," : "", routes[i].path);
		for (size_t k = i; k < n_routes; k++) {
			if (strcmp(routes[k].path, routes[i].path) != 0)
				continue;
			if (!first)
				buf_putc(b, ',');
			put_operation(b, &routes[k]);
			first = false;
		}
		buf_puts(b, "}");
	}
	buf_puts(b, "},\"components\":{\"securitySchemes\":{\"bearer\":{"
		    "\"type\":\"http\",\"scheme\":\"bearer\"}},");
	put_schemas(b);
	return buf_puts(b, "}}\n");
}
