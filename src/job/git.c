/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What may be said of a git source; see git.h. */
#include "job/git.h"
#include "job/check.h"
#include "job/inputs.h"

#include <string.h>

/* --- the URL ------------------------------------------------------------ */

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

bool job_git_is_ssh(struct str url)
{
	struct str rest = url, head = str_cut(&rest, ':');

	if (str_is(head, "ssh") || str_is(head, "git+ssh"))
		return str_starts(rest, STR("//"));
	return rest.len && !str_starts(rest, STR("//")) && str_has(head, '@') &&
	       !str_has(head, '/');
}

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

/* HOST or HOST:PORT; a host is a name, an address, or [v6].  One server has
 * one spelling, so that a policy's pattern cannot be got round. */
static bool good_authority(struct str s, uint64_t usual_port)
{
	struct str host = s, port = {"", 0};
	uint64_t n;

	if (str_starts(s, STR("[")) && str_has(s, ']')) {
		struct str inside = str_cut(&s, ']');

		host = str_from_at(inside, 1);
		if (s.len && s.p[0] != ':')
			return false;
		port = str_from_at(s, 1);
		if (s.len && !port.len)
			return false;
	} else if (str_has(s, ':')) {
		host = str_cut(&s, ':');
		port = s;
		if (!port.len)
			return false;
	}
	if (!host.len || host.len > 253 || host.p[0] == '-')
		return false;
	for (size_t i = 0; i < host.len; i++)
		if ((host.p[i] >= 'A' && host.p[i] <= 'Z') ||
		    (!is_alnum(host.p[i]) && !is_one_of(host.p[i], "-._:")))
			return false;
	return host.p[host.len - 1] != '.' &&
	       (!port.len || (!str_to_u64(port, 65535, &n) && n &&
			      n != usual_port && port.p[0] != '0'));
}

/* Nothing that a server and a policy's pattern might see differently. */
static bool good_parts(struct str path)
{
	static const char *const odd[] = {"%2e", "%2E", "%2f", "%2F",
					  "%5c", "%5C", "%25", "%00"};

	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		if (memmem(path.p, path.len, odd[i], 3))
			return false;
	while (path.len) {
		struct str part = str_cut(&path, '/');

		if (!part.len || str_is(part, ".") || str_is(part, ".."))
			return false;
	}
	return true;
}

const char *job_git_url(struct str url)
{
	struct str rest = url, host;
	bool tls = str_starts(url, STR("https://"));

	if (url.len > GIT_URL_MAX)
		return "the URL is too long";
	if (!tls && !str_starts(url, STR("http://")))
		return "a URL that begins with https:// is wanted";
	rest = str_from_at(url, tls ? 8 : 7);
	for (size_t i = 0; i < rest.len; i++)
		if (!is_alnum(rest.p[i]) &&
		    !is_one_of(rest.p[i], "-._~/:[]@%+,="))
			return "a character that does not belong into the URL "
			       "of a repository";
	host = str_cut(&rest, '/');
	if (str_has(host, '@'))
		return "a login does not belong into the URL: it would be "
		       "stored and shown (see source.secret)";
	if (!good_authority(host, tls ? 443 : 80))
		return "no host in lower case, or a port that is none or the "
		       "usual one";
	if (!rest.len || !good_parts(rest))
		return "the path of the URL is none, or could be written "
		       "more plainly";
	return NULL;
}

/* --- the ref ------------------------------------------------------------ */

static bool good_component(struct str s)
{
	return s.len && s.p[0] != '.' && !str_ends(s, STR(".lock"));
}

const char *job_git_ref(struct str ref)
{
	static const char *const never[] = {"..", "@{", "${"};
	struct str rest = ref;

	if (!ref.len)
		return "the ref is empty";
	if (ref.len > GIT_REF_MAX)
		return "the ref is too long";
	if (ref.p[0] == '-' || ref.p[0] == '+')
		return "a ref does not begin with - or +";
	if (str_is(ref, "@") || ref.p[ref.len - 1] == '.' ||
	    ref.p[ref.len - 1] == '/')
		return "this is no name of a branch, tag or commit";
	for (size_t i = 0; i < ref.len; i++)
		if ((unsigned char)ref.p[i] <= ' ' || ref.p[i] == 0x7f ||
		    is_one_of(ref.p[i], "~^:?*[\\"))
			return "a space, a control character or one of "
			       "~^:?*[\\ in the ref";
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		if (memmem(ref.p, ref.len, never[i], strlen(never[i])))
			return "\"..\", \"@{\" or \"${\" in the ref";
	while (rest.len)
		if (!good_component(str_cut(&rest, '/')))
			return "a part of the ref is empty, begins with a dot "
			       "or ends with .lock";
	return str_utf8_valid(ref) ? NULL : "the ref is not UTF-8";
}

/* --- the path ----------------------------------------------------------- */

const char *job_git_path(struct str path)
{
	struct str rest = path;

	if (!path.len || path.len > GIT_PATH_MAX)
		return "the path is empty or too long";
	if (path.p[0] == '/' || path.p[path.len - 1] == '/')
		return "a path below the repository, without a slash at its "
		       "ends";
	for (size_t i = 0; i < path.len; i++)
		if ((unsigned char)path.p[i] < ' ' || path.p[i] == 0x7f)
			return "a control character in the path";
	if (memmem(path.p, path.len, "${", 2) || !str_utf8_valid(path))
		return "\"${\", or no UTF-8, in the path";
	while (rest.len) {
		struct str part = str_cut(&rest, '/');

		if (!part.len || str_is(part, ".") || str_is(part, "..") ||
		    str_is(part, ".git"))
			return "a part of the path is empty, \".\", \"..\" or "
			       "\".git\"";
	}
	return NULL;
}

/* --- in a job ----------------------------------------------------------- */

static const struct doc_node *source_of(const struct job *j)
{
	const struct doc_node *n = doc_get(j->doc->root, "source");

	return n && n->kind == DOC_MAP ? n : NULL;
}

bool job_git_has(const struct job *j)
{
	return source_of(j) != NULL;
}

static void complain(struct problems *ps, const struct doc_node *n,
		     const char *code, const char *what)
{
	if (what)
		problem_at(ps, n, code, NULL, "%s", what);
}

static bool is_text(const struct doc_node *n)
{
	return n && (n->kind == DOC_STRING || n->kind == DOC_PLAIN);
}

/* A ref without expressions is known now; the others when there are inputs. */
void check_git(const struct job *j, struct problems *ps)
{
	const struct doc_node *map = source_of(j);
	const struct doc_node *url = doc_get(map, "git");
	const struct doc_node *ref = doc_get(map, "ref");
	const struct doc_node *path = doc_get(map, "path");

	if (is_text(url) && !job_git_is_ssh(url->text))
		complain(ps, url, "bad-git-url", job_git_url(url->text));
	if (is_text(ref) && !memmem(ref->text.p, ref->text.len, "${{", 3))
		complain(ps, ref, "bad-git-ref", job_git_ref(ref->text));
	if (is_text(path))
		complain(ps, path, "bad-git-path", job_git_path(path->text));
}

static int fill_ref(const struct job_plan *p, const struct doc_node *ref,
		    struct str *ret, struct problems *ps)
{
	CLEANUP_BUF struct buf b = BUF_INIT(GIT_REF_MAX + 1);
	struct inputs_scope s;
	const char *wrong;
	struct err e = {0};
	char *text;

	inputs_scope(&s, p, 0, NULL, p->arena);
	if (expr_fill(ref->text, &s.c, &b, &e))
		wrong = b.failed ? "the ref is too long" : e.text;
	else
		wrong = job_git_ref(buf_view(&b));
	if (wrong) {
		problem_at(ps, ref, "bad-git-ref", NULL, "%s", wrong);
		return -1;
	}
	text = arena_strndup(p->arena, b.data, b.len);
	*ret = text ? str_n(text, b.len) : STR("HEAD");
	return 0;
}

int job_git_read(const struct job_plan *p, struct job_git *ret,
		 struct problems *ps)
{
	const struct doc_node *map = source_of(p->job);
	const struct doc_node *ref = doc_get(map, "ref");
	int64_t depth = 1;

	if (doc_get(map, "depth") && doc_as_i64(doc_get(map, "depth"), &depth))
		depth = 1;
	*ret = (struct job_git){
		.url = job_text(doc_get(map, "git"), ""),
		.secret = job_text(doc_get(map, "secret"), ""),
		.path = job_text(doc_get(map, "path"), ""),
		.ref = STR("HEAD"),
		.depth = (uint32_t)depth,
	};
	if (doc_get(map, "submodules") &&
	    doc_as_bool(doc_get(map, "submodules"), &ret->submodules))
		ret->submodules = false;
	return ref ? fill_ref(p, ref, &ret->ref, ps) : 0;
}
