/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The job that fetches a git source; see git.h.  All that a job's author says
 * reaches the script as variables that were checked before, never as its text.
 *
 * The login is read by a credential helper from its file, for the server of the
 * URL alone: it is in no argument, no variable and no configuration.
 */
#include "job/git.h"

#include <inttypes.h>
#include <string.h>

/* `protocol` is what the transport may be, also of submodules. */
static const char script[] =
	"command -v git >/dev/null || {\n"
	"  echo 'fatal: there is no git on this machine' >&2\n"
	"  exit 127\n"
	"}\n"
	"umask 022\n"
	"w=$PWD\n"
	"export LC_ALL=C GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=\"$w/config\""
	" GIT_TERMINAL_PROMPT=0 GIT_ASKPASS=/bin/false"
	" GIT_ALLOW_PROTOCOL=\"${SOURCE_ORIGIN%%:*}\" GIT_LFS_SKIP_SMUDGE=1"
	" GIT_NO_REPLACE_OBJECTS=1 SOURCE_HOME=\"$w\"\n"
	"cat >config <<END\n"
	"[core]\n"
	"\thooksPath = /dev/null\n"
	"\tfsmonitor = false\n"
	"\tattributesFile = /dev/null\n"
	"[http]\n"
	"\tfollowRedirects = false\n"
	"\tlowSpeedLimit = 1\n"
	"\tlowSpeedTime = 60\n"
	"[protocol \"ext\"]\n"
	"\tallow = never\n"
	"[init]\n"
	"\tdefaultBranch = none\n"
	"[advice]\n"
	"\tdetachedHead = false\n"
	"[gc]\n"
	"\tauto = 0\n"
	"[submodule]\n"
	"\trecurse = false\n"
	"END\n"
	"if [ -n \"$SOURCE_LOGIN\" ]; then\n"
	"cat >login <<'END'\n"
	"[ \"$1\" = get ] || exit 0\n"
	"IFS= read -r v <\"$NFO_SECRETS/login\" || [ -n \"$v\" ] || exit 0\n"
	"case $v in\n"
	"*:*) printf 'username=%s\\npassword=%s\\n' \"${v%%:*}\" \"${v#*:}\" "
	";;\n"
	"*) printf 'username=x-access-token\\npassword=%s\\n' \"$v\" ;;\n"
	"esac\n"
	"END\n"
	"cat >>config <<END\n"
	"[credential \"$SOURCE_ORIGIN\"]\n"
	"\thelper = \"!/bin/sh $w/login\"\n"
	"END\n"
	"fi\n"
	"git init -q --template= tree\n"
	"cd tree\n"
	"git remote add origin \"$SOURCE_URL\"\n"
	"case $SOURCE_DEPTH in\n"
	"0) set -- --tags ;;\n"
	"*) set -- --no-tags --depth=\"$SOURCE_DEPTH\" ;;\n"
	"esac\n"
	"export SOURCE_ARGS=\"${2-}\"\n"
	"fetch() { git fetch -q --no-recurse-submodules \"$@\"; }\n"
	"hex=\n"
	"case $SOURCE_REF in *[!0-9a-f]*) ;; *) hex=${#SOURCE_REF} ;; esac\n"
	"case $hex in\n"
	"40 | 64)\n"
	"  fetch \"$@\" origin \"$SOURCE_REF\" || {\n"
	"    echo 'not by its name; all branches and tags are fetched' >&2\n"
	"    fetch --tags origin '+refs/heads/*:refs/remotes/origin/*'\n"
	"  }\n"
	"  commit=$SOURCE_REF ;;\n"
	"*)\n"
	"  fetch \"$@\" origin \"$SOURCE_REF\"\n"
	"  commit=FETCH_HEAD ;;\n"
	"esac\n"
	"commit=$(git rev-parse --verify -q \"$commit^{commit}\") || {\n"
	"  echo \"fatal: $SOURCE_REF is no commit of the repository\" >&2\n"
	"  exit 1\n"
	"}\n"
	"git checkout -q --detach \"$commit\"\n"
	"if [ \"$SOURCE_SUBMODULES\" = true ]; then\n"
	"cat >\"$w/submodules\" <<'END'\n"
	"set -eu\n"
	"[ -f .gitmodules ] || exit 0\n"
	"git submodule --quiet init\n"
	"git config --local --name-only --get-regexp"
	" '^submodule[.].*[.]url$' | while IFS= read -r key; do\n"
	"  url=$(git config --local --get \"$key\")\n"
	"  case $url in\n"
	"  \"$SOURCE_ORIGIN\"/*) ;;\n"
	"  *) echo \"fatal: $key: a submodule of another server\" >&2; exit 1 "
	";;\n"
	"  esac\n"
	"done\n"
	"git submodule --quiet update $SOURCE_ARGS\n"
	"git submodule --quiet foreach \"/bin/sh '$SOURCE_HOME/submodules'\"\n"
	"END\n"
	"/bin/sh \"$w/submodules\"\n"
	"fi\n"
	"rm -rf .git/FETCH_HEAD .git/logs .git/index\n"
	"git read-tree HEAD\n"
	"if [ -n \"$SOURCE_PATH\" ]; then\n"
	"  [ -d \"./$SOURCE_PATH\" ] && cd -P \"./$SOURCE_PATH\" &&\n"
	"  [ \"$(pwd -P)\" = \"$(cd -P \"$w\" && pwd -P)/tree/$SOURCE_PATH\" ]"
	" || {\n"
	"    echo \"fatal: $SOURCE_PATH is no directory of the repository\" "
	">&2\n"
	"    exit 1\n"
	"  }\n"
	"fi\n"
	"tar --format=gnu --sort=name --mtime=@0 --owner=0 --group=0"
	" --numeric-owner --hard-dereference -cf \"$w/source.tar\" .\n"
	"printf %s \"$commit\" >\"$NFO_OUTPUT/commit\"\n"
	"echo \"$SOURCE_REF is $commit\"\n";

static void pair(struct buf *b, const char *key, struct str s)
{
	buf_printf(b, "\"%s\":\"", key);
	buf_json(b, s);
	buf_puts(b, "\",");
}

/* "https://host:port" */
static struct str origin_of(struct str url)
{
	const char *slash = memchr(url.p + 8, '/', url.len - 8);

	return str_n(url.p, slash ? (size_t)(slash - url.p) : url.len);
}

/* The declaration as the job has it, but for how it is delivered. */
static int put_login(const struct job_plan *p, struct str name, struct buf *b,
		     struct err *e)
{
	const struct doc_node *all = doc_get(p->job->doc->root, "secrets");
	const struct doc_node *decl = doc_get_str(all, name);
	bool first = true;

	buf_puts(b, "\"secrets\":{\"login\":{");
	for (const struct doc_node *n = decl ? decl->first : NULL; n;
	     n = n->next) {
		if (str_is(n->key, "deliver"))
			continue;
		buf_puts(b, first ? "\"" : ",\"");
		buf_json(b, n->key);
		buf_puts(b, "\":");
		if (doc_write_canonical(n, b, e))
			return -1;
		first = false;
	}
	buf_puts(b, "}},");
	return 0;
}

static int put_job(const struct job_plan *p, const struct job_git *git,
		   struct buf *b, struct err *e)
{
	buf_puts(b, "{\"nfo\":1,\"name\":\"source\",");
	pair(b, "project", p->job->project);
	buf_puts(b, "\"labels\":{");
	pair(b, "job", p->job->name);
	b->len--;
	buf_puts(b, "},");
	if (git->secret.len && put_login(p, git->secret, b, e))
		return -1;
	buf_puts(b, "\"tasks\":{\"source\":{\"env\":{");
	pair(b, "SOURCE_URL", git->url);
	pair(b, "SOURCE_ORIGIN", origin_of(git->url));
	pair(b, "SOURCE_REF", git->ref);
	pair(b, "SOURCE_PATH", git->path);
	pair(b, "SOURCE_LOGIN", git->secret);
	pair(b, "SOURCE_SUBMODULES",
	     git->submodules ? STR("true") : STR("false"));
	buf_printf(b, "\"SOURCE_DEPTH\":\"%" PRIu32 "\"},", git->depth);
	pair(b, "run", str_from(script));
	if (git->secret.len)
		buf_puts(b, "\"secrets\":[\"login\"],");
	buf_puts(b, "\"sandbox\":{\"profile\":\"net\",\"network\":\"host\","
		    "\"limits\":{\"disk\":\"10G\"}},"
		    "\"outputs\":{\"commit\":{\"pattern\":\"[0-9a-f]{40,64}\"}}"
		    ",\"artifacts\":{\"source\":{\"path\":\"source.tar\","
		    "\"max\":\"2G\",\"retain\":\"1h\"}},\"timeout\":\"10m\","
		    "\"retry\":{\"max\":1,\"when\":[\"lost\"]}}}}");
	return b->failed ? err_set(e, ERR_LIMIT, "the source is too long") : 0;
}

int job_git_fetch(const struct job_plan *p, const struct job_git *git,
		  struct buf *canonical, struct job **ret, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf b = BUF_INIT(JOB_CANONICAL_MAX);
	struct job *j;

	if (put_job(p, git, &b, e))
		return -1;
	if (job_parse_stored(buf_view(&b), &j, ps))
		return err_set(e, ERR_INTERNAL, "the job that fetches: %s",
			       ps->n ? ps->items[0].message : "odd");
	if (job_canonical(j, canonical, e)) {
		job_free(j);
		return -1;
	}
	*ret = j;
	return 0;
}

/* --- is it that? -------------------------------------------------------- */

static bool is_number(struct str s)
{
	uint64_t v;

	return !str_to_u64(s, UINT32_MAX, &v);
}

static bool is_bool(struct str s)
{
	return str_is(s, "true") || str_is(s, "false");
}

static bool is_url(struct str s)
{
	return !job_git_url(s);
}

static bool is_ref(struct str s)
{
	return !job_git_ref(s);
}

static bool is_path(struct str s)
{
	return !s.len || !job_git_path(s);
}

static bool is_any(struct str s)
{
	(void)s;
	return true;
}

/* Every variable that the script gets, and nothing else. */
static const struct {
	const char *name;
	bool (*good)(struct str s);
} variables[] = {
	{"SOURCE_DEPTH",      is_number},
        {"SOURCE_LOGIN",      is_any   },
	{"SOURCE_ORIGIN",     is_any   }, /* compared below */
	{"SOURCE_PATH",       is_path  },
        {"SOURCE_REF",        is_ref   },
	{"SOURCE_SUBMODULES", is_bool  },
        {"SOURCE_URL",        is_url   },
};

static const struct job_pair *variable(const struct job_attempt *a,
				       const char *name)
{
	for (size_t i = 0; i < a->n_env; i++)
		if (str_is(a->env[i].name, name))
			return &a->env[i];
	return NULL;
}

bool job_git_is_ours(const struct job_attempt *a)
{
	const struct job_pair *v;

	if (!a->has_script || !str_is(a->script, script) || a->n_args ||
	    a->n_shell != 2 || !str_is(a->shell[0], "/bin/sh") ||
	    !str_is(a->shell[1], "-eu") || a->n_env != ARRAY_LEN(variables) ||
	    a->n_inputs || a->n_matrix || a->n_files || a->n_secrets > 1)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		v = variable(a, variables[i].name);
		if (!v || !variables[i].good(v->value))
			return false;
	}
	return str_eq(variable(a, "SOURCE_URL")->value, a->fetches) &&
	       str_eq(variable(a, "SOURCE_ORIGIN")->value,
		      origin_of(a->fetches));
}
