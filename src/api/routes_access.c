/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Routes of who may: users, groups, roles, tokens, projects. */
#include "api/route_table.h"

/* clang-format off */
/* Small things with a name: h_resources.c. */
#define RESOURCE_LIST(PATH, KIND, ID, MAY, OF) \
	{.method = METHOD_GET, \
	 .path = PATH, \
	 .may = MAY, \
	 .of = OF, \
	 .kind = KIND, \
	 .handle = h_resources, \
	 .id = "list" ID "s", \
	 .summary = "Every " KIND " that one may see, last changed first", \
	 .query = {PAGE_QUERY}, \
	 .answers = {{200, JSON, ID "Page", "a page"}, PROBLEM_400}}
#define RESOURCE_CREATE(PATH, KIND, ID, MAY, OF) \
	{.method = METHOD_POST, \
	 .path = PATH, \
	 .may = MAY, \
	 .of = OF, \
	 .kind = KIND, \
	 .body = BODY_JSON, \
	 .takes = ID "Put", \
	 .handle = h_resource_put, \
	 .id = "create" ID, \
	 .summary = "Make a new " KIND, \
	 .answers = {{201, JSON, ID, "it is made"}, \
		     PROBLEM_400, \
		     {409, NULL, NULL, "there is one of that name"}, \
		     PROBLEM_422}}
#define RESOURCE_GET(PATH, KIND, ID, MAY, OF) \
	{.method = METHOD_GET, \
	 .path = PATH, \
	 .may = MAY, \
	 .of = OF, \
	 .kind = KIND, \
	 .handle = h_resource, \
	 .id = "get" ID, \
	 .summary = "One " KIND, \
	 .answers = {{200, JSON, ID, "with an ETag"}, \
		     {304, NULL, NULL, "it is what If-None-Match names"}, \
		     PROBLEM_404}}
#define RESOURCE_PUT(PATH, KIND, ID, MAY, OF) \
	{.method = METHOD_PUT, \
	 .path = PATH, \
	 .may = MAY, \
	 .of = OF, \
	 .kind = KIND, \
	 .body = BODY_JSON, \
	 .takes = ID "Put", \
	 .handle = h_resource_put, \
	 .id = "put" ID, \
	 .summary = "Make or, with If-Match, replace a " KIND, \
	 .answers = {{200, JSON, ID, "it is changed"}, \
		     {201, JSON, ID, "it is made"}, \
		     PROBLEM_400, \
		     {412, NULL, NULL, "it has changed since"}, \
		     PROBLEM_422, \
		     {428, NULL, NULL, "it is there, and If-Match is not"}}}
#define RESOURCE_DELETE(PATH, KIND, ID, MAY, OF) \
	{.method = METHOD_DELETE, \
	 .path = PATH, \
	 .may = MAY, \
	 .of = OF, \
	 .kind = KIND, \
	 .handle = h_resource_delete, \
	 .id = "delete" ID, \
	 .summary = "Remove a " KIND " that nothing names, with If-Match", \
	 .answers = {{204, NULL, NULL, "gone"}, \
		     PROBLEM_404, \
		     {409, NULL, NULL, "something names it"}, \
		     {412, NULL, NULL, "it has changed since"}, \
		     {428, NULL, NULL, "If-Match is missing"}}}
#define RESOURCES(PATH, KIND, ID) \
	RESOURCE_LIST(PATH, KIND, ID, MAY_ADMIN, OF_SERVER), \
	RESOURCE_CREATE(PATH, KIND, ID, MAY_ADMIN, OF_SERVER), \
	RESOURCE_GET(PATH "/{" KIND "}", KIND, ID, MAY_ADMIN, OF_SERVER), \
	RESOURCE_PUT(PATH "/{" KIND "}", KIND, ID, MAY_ADMIN, OF_SERVER), \
	RESOURCE_DELETE(PATH "/{" KIND "}", KIND, ID, MAY_ADMIN, OF_SERVER)

const struct route access_routes[] = {
	RESOURCES("/v1/users", "user", "User"),
	RESOURCES("/v1/groups", "group", "Group"),
	RESOURCES("/v1/roles", "role", "Role"),
	{.method = METHOD_GET,
	 .path = "/v1/tokens",
	 .may = MAY_KNOWN,
	 .of = OF_ANY,
	 .handle = h_tokens,
	 .id = "listTokens",
	 .summary = "One's own tokens, newest first; an admin's list has all",
	 .query = {PAGE_QUERY},
	 .answers = {{200, JSON, "TokenPage", "a page"}, PROBLEM_400}},
	{.method = METHOD_POST,
	 .path = "/v1/tokens",
	 .may = MAY_KNOWN,
	 .of = OF_ANY,
	 .body = BODY_JSON,
	 .takes = "TokenAsk",
	 .secret = true,
	 .handle = h_token_create,
	 .id = "createToken",
	 .summary = "A token of one's own, or (admin) of a user: {\"name\", "
		    "\"user\", \"role\", \"projects\", \"ttl\"}",
	 .answers = {{201, JSON, "NewToken", "with its text, this once"},
		     PROBLEM_400,
		     {403, NULL, NULL, "a narrowed token makes no others"},
		     PROBLEM_422}},
	{.method = METHOD_GET,
	 .path = "/v1/tokens/{token}",
	 .may = MAY_KNOWN,
	 .of = OF_ANY,
	 .handle = h_token,
	 .id = "getToken",
	 .summary = "What a token may, when it ends, when it was last used",
	 .answers = {{200, JSON, "Token", "the token, without its text"},
		     PROBLEM_404}},
	{.method = METHOD_DELETE,
	 .path = "/v1/tokens/{token}",
	 .may = MAY_KNOWN,
	 .of = OF_ANY,
	 .handle = h_token_delete,
	 .id = "revokeToken",
	 .summary = "Revoke a token; streams that it opened end",
	 .answers = {{204, NULL, NULL, "it is worth nothing now"},
		     PROBLEM_404}},
	RESOURCE_LIST("/v1/projects", "project", "Project", MAY_VIEW, OF_ANY),
	RESOURCE_GET("/v1/projects/{project}", "project", "Project", MAY_VIEW,
		     OF_PROJECT),
	RESOURCE_PUT("/v1/projects/{project}", "project", "Project", MAY_ADMIN,
		     OF_PROJECT),
	RESOURCE_DELETE("/v1/projects/{project}", "project", "Project",
			MAY_ADMIN, OF_PROJECT),
};
/* clang-format on */
const size_t n_access_routes = ARRAY_LEN(access_routes);
