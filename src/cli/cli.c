/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The table of verbs. */
#include "cli/describe.h"
#include "cli/verbs.h"
#include "sandbox/command_table.h"

#include <assert.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
static const struct verb verbs[] = {
	{"run", "FILE [--source DIR] [--input K=V]... [--script FILE]",
	 "Run a job and follow it: its tasks' lines as they come, then a table",
	 "  nfo run examples/hello.toml --input name=world\n"
	 "  nfo run release.yaml --source .\n"
	 "  nfo run --script backup.sh\n"
	 "  nfo run release.yaml --secret token=store:my_token\n"
	 "  nfo run release.yaml --secret token=@token.txt\n\n"
	 "An interrupt (Ctrl-C) cancels the run and follows it to its end; a\n"
	 "second one leaves it alone.\n\n"
	 "--secret replaces one `vault:` reference with a `field`, in this run\n"
	 "only: by a secret of the local store, or by a file's content. That is\n"
	 "stored as once-NAME-... and removed when the run has ended; an nfo that\n"
	 "was killed leaves it there (nfo secret list, nfo secret rm).\n\n"
	 "Exit code: 0 when the run succeeded, 1 when it did not, 2 for a wrong\n"
	 "job, 3 when policy refuses it, 4 without a server, 130 when it was left.",
	 verb_run},
	{"runs", "[--status S]... [--job J] [--limit N]",
	 "Runs, newest first",
	 "  nfo runs --status failed --kind timeout --since 2026-11-01T00:00:00Z\n"
	 "  nfo runs --project web --label team=pages",
	 verb_runs},
	{"show", "RUN",
	 "A run with its tasks", NULL, verb_show},
	{"logs", "[-f] [--tail N] [--grep TEXT] RUN [TASK]",
	 "The log of a task, or of all in the order of time",
	 "  nfo logs -f run_01K...\n"
	 "  nfo logs run_01K... --tail 20\n"
	 "  nfo logs run_01K... build --grep error --ignore-case\n\n"
	 "Of all tasks each line has its task in front. With --output json it\n"
	 "is frames, one a line.",
	 verb_logs},
	{"events", "[-f] [RUN]",
	 "What has happened, or happens, to runs",
	 "  nfo events\n"
	 "  nfo events -f --type run\n"
	 "  nfo events run_01K... --output json",
	 verb_events},
	{"job", "put|get|list|rm|run|history|diff [JOB] [REVISION]",
	 "Jobs that the server keeps",
	 "  nfo job put release.yaml\n"
	 "  nfo job run release --input target=staging\n"
	 "  nfo job get release --to toml\n"
	 "  nfo job history release\n"
	 "  nfo job diff release 5f0c2a\n\n"
	 "put replaces what is there when nobody has changed it meanwhile; a\n"
	 "revision is named by the first digits that `history` shows.",
	 verb_job},
	{"cancel", "RUN",
	 "End a run; its `finally` tasks still run", NULL, verb_cancel},
	{"plan", "FILE|JOB [--input K=V]...",
	 "What a run would be and may touch, before there is one",
	 "Every task with its sandbox and secrets, what policy says, and what\n"
	 "changed since the last run. Exit code 3 when policy denies it.",
	 verb_plan},
	{"policy", "test FILE|JOB [--input K=V]... [--as PRINCIPAL]",
	 "What policy says of a job, before it is run",
	 "  nfo policy test release.yaml --input target=staging\n"
	 "  nfo policy test release --as user:ann\n\n"
	 "Every task with the limits that it would get, and each reason of a\n"
	 "denial with the rule's file and line. Exit code 3 when it is denied.",
	 verb_policy},
	{"rerun", "RUN [--from start|failed|TASK]",
	 "Run it again; what succeeded counts as done",
	 "  nfo rerun run_01K...\n"
	 "  nfo rerun run_01K... --from deploy\n\n"
	 "From a task: it, and what needs it, run anew.",
	 verb_rerun},
	{"approvals", "[--all]",
	 "What waits for your approval", NULL, verb_approvals},
	{"approve", "RUN [TASK] [--reject] [--comment TEXT]",
	 "Look at what waits for an approval, and give or refuse it",
	 "  nfo approve run_01K... ship --comment 'looks good'\n"
	 "  nfo approve run_01K... --reject\n\n"
	 "Shows the message and the artifacts with their SHA-256; the answer\n"
	 "is bound to these. On a terminal it asks first.",
	 verb_approve},
	{"why", "RUN",
	 "What a run and its tasks wait for", NULL, verb_why},
	{"queue", "",
	 "Runs that wait, first in line first", NULL, verb_queue},
	{"top", "[--once]",
	 "What runs and what waits, as it is now",
	 "On a terminal it is drawn anew each second; q leaves.",
	 verb_top},
	{"backup", "> FILE",
	 "All that the server keeps, while it works; no secrets",
	 "A tar of the database, artifacts and logs. The secret store is the\n"
	 "keeper's (`keeper/` in the state directory): copy it apart from this.",
	 verb_backup},
	{"restore", "FILE",
	 "A backup in the place of all that the server keeps",
	 "Only in maintenance, and when no task runs. The server starts anew\n"
	 "with it, in maintenance.",
	 verb_restore},
	{"artifact", "RUN [TASK.NAME [--to FILE]]",
	 "List what a run left behind, or fetch one", NULL, verb_artifact},
	{"secret", "put|list|show|versions|rm|undelete|destroy|describe [NAME], "
	 "recipient|export|import, seal|unseal|seal-status|rotate|rekey, slot list|add|remove [KIND|SLOT], "
	 "provider list|show|check",
	 "Secrets of the local store; values come from standard input",
	 "  nfo secret put sign_key < key.pem\n"
	 "  nfo secret put sign_key --if-version 3 < new.pem\n"
	 "  nfo secret list\n"
	 "  nfo secret versions sign_key\n"
	 "  nfo secret rm sign_key\n"
	 "  nfo secret rm sign_key --version 2\n"
	 "  nfo secret undelete sign_key --version 2\n"
	 "  nfo secret destroy sign_key --version 1\n"
	 "  nfo secret describe sign_key --description 'of the build' --max-versions 3\n"
	 "  nfo secret export --age age1... > secrets.age\n"
	 "  nfo secret import < secrets.age\n"
	 "  nfo secret slot add passphrase\n"
	 "  nfo secret slot add --transit default/nfo-unseal\n"
	 "  nfo secret slot list\n"
	 "  nfo secret seal\n"
	 "  nfo secret unseal\n"
	 "  nfo secret rotate\n"
	 "  nfo secret rekey\n"
	 "  nfo secret provider list\n"
	 "  nfo secret provider check default\n\n"
	 "rm hides one version, without --version it destroys all. A slot is\n"
	 "one way to open the store: keyfile, passphrase, credential or a key\n"
	 "of Vault's transit engine.\n"
	 "A sealed store opens by a passphrase, or with --automatic by what\n"
	 "needs nobody; runs that need it wait.\n\n"
	 "A provider is a Vault or OpenBao server, or a helper, of the settings.\n"
	 "check asks it step by step; exit code 1 when a step failed.",
	 verb_secret},
	{"identity", "keys", "What the tokens of tasks are signed with",
	 "As a key set (RFC 7517), or as PEM:\n"
	 "  nfo identity keys --pem > keys.pem\n\n"
	 "docs/VAULT.md has how Vault is told of them.",
	 verb_identity},
	{"lease", "list|revoke [LEASE]",
	 "What providers of secrets have lent to tasks",
	 "  nfo lease list --run run_01K...\n"
	 "  nfo lease revoke lease_01K...\n\n"
	 "Each is given back when its attempt ends; revoke does it at once.",
	 verb_lease},
	{"schedule", "list|next|pause|resume JOB [SCHEDULE]",
	 "When stored jobs run by themselves",
	 "  nfo schedule list release\n"
	 "  nfo schedule next release nightly\n"
	 "  nfo schedule pause release nightly",
	 verb_schedule},
	{"hook", "list|deliveries|rotate JOB [HOOK]",
	 "Who starts stored jobs by calling a URL",
	 "  nfo hook list release\n"
	 "  nfo hook deliveries release push\n"
	 "  nfo hook rotate release push",
	 verb_hook},
	{"cache", "list|rm [CACHE]",
	 "What tasks have kept for later runs",
	 "  nfo cache list --project web\n"
	 "  nfo cache rm cache_01K...\n"
	 "  nfo cache rm --all --project web",
	 verb_cache},
	{"token", "create|list|rm [NAME|TOKEN]",
	 "What lets a program in: made once, shown once",
	 "  nfo token create ci --role operator --project web --ttl 30d\n"
	 "  nfo token list\n"
	 "  nfo token rm tok_01K...\n\n"
	 "The token is printed alone; give it to a client in NFO_TOKEN.",
	 verb_token},
	{"user", "list|show|put|rm [NAME]",
	 "Who may log in",
	 "  nfo user put ann --full-name 'Ann Example' --uid 1001\n"
	 "  nfo user put ann --disabled true\n"
	 "  nfo user rm ann\n\n"
	 "What put does not name stays as it is.",
	 verb_resource},
	{"group", "list|show|put|rm [NAME]",
	 "Users under one name",
	 "  nfo group put devs --member ann --member bob",
	 verb_resource},
	{"role", "list|show|put|rm [NAME]",
	 "Who is what, and where",
	 "  nfo role put web-devs --role developer --in web --member group/devs\n"
	 "  nfo role put ops --role operator --in '*' --member user/ann",
	 verb_resource},
	{"project", "list|show|put|rm [NAME]",
	 "What runs and roles belong to",
	 "  nfo project put web --description 'the pages' --max-running 4\n"
	 "  nfo project put web --paused true",
	 verb_resource},
	{"context", "list|set|use|rm [NAME]",
	 "Servers by name, and which one counts",
	 "  nfo context set prod --url https://nfo.example.com --token-file prod.tok\n"
	 "  nfo context use prod\n"
	 "  nfo runs --context private\n\n"
	 "They are kept in ~/.config/nfo/config.yaml (NFO_CONFIG names another\n"
	 "file). --context and NFO_CONTEXT choose for one command; NFO_SERVER\n"
	 "goes before the one that is in use. `private` is the private server.",
	 verb_context},
	{"api", "METHOD PATH [--data FILE]",
	 "Any request to the API, as it is documented",
	 "  nfo api GET '/v1/runs?state=failed'\n"
	 "  nfo api PUT /v1/users/ann --data ann.json\n"
	 "  nfo api DELETE /v1/users/ann --header 'If-Match: *'",
	 verb_api},
	{"check", "FILE...",
	 "Check jobs without running them",
	 "Each mistake with its place, and a hint. Exit code 2 when there is "
	 "one.",
	 verb_check},
	{"convert", "FILE --to yaml|json|toml",
	 "A job in another syntax", NULL, verb_convert},
	{"import", "SCRIPT",
	 "A shell script as a job, byte for byte", NULL, verb_import},
	{"explain", "[KEY]",
	 "What a key of the job format is for",
	 "  nfo explain timeout\n"
	 "  nfo explain sandbox.limits",
	 verb_explain},
	{"serve", "[--config FILE] [--listen 127.0.0.1:PORT] [--socket PATH]",
	 "The server, in the foreground",
	 "Without options it serves the private socket of this user. An option\n"
	 "wins over the file; nfo config explain tells what may be in it.",
	 verb_serve},
	{"config", "check|show|reload|explain [FILE|KEY]",
	 "The settings of a server, in a file for nfo serve --config",
	 "  nfo config check /etc/nfo/server.yaml\n"
	 "  nfo config show\n"
	 "  nfo config reload\n"
	 "  nfo config explain log.format\n\n"
	 "check tells every mistake with its place; exit code 2 when there is\n"
	 "one. show tells every setting that the server has, or that a FILE comes\n"
	 "to, and what says so. reload reads settings, policies and certificate\n"
	 "anew, all or none, and tells what is new.",
	 verb_config},
	{"completion", "bash|zsh|fish",
	 "A script that completes commands, options, runs and files",
	 "  source <(nfo completion bash)\n"
	 "  nfo completion fish > ~/.config/fish/completions/nfo.fish",
	 verb_completion},
	{"version", "",
	 "The version", NULL, verb_version},
};

/* For the build and the shells, not for people. */
static const struct verb hidden[] = {
	{"__complete", "WORD...", "What may stand in the last word's place",
	 NULL, verb_complete},
	{"__man", "1 [DIR]|5",
	 "The manual pages nfo(1) and nfo-job(5); in DIR one for each command",
	 NULL, verb_man},
};
/* clang-format on */

/* Of the program `nfo` itself. */
static const struct command_help *const others[] = {&sandbox_help,
						    &doctor_help};

static void collect_other(const struct command_help *h, struct opts_of *ret)
{
	assert(h->n_options <= OPTS_MAX);
	*ret = (struct opts_of){
		.verb = {h->name, h->args, h->summary, h->text, NULL},
		.n = h->n_options,
	};
	for (size_t i = 0; i < h->n_options; i++)
		ret->opts[i] = (struct opt){
			.name = h->options[i].name,
			.kind = h->options[i].value ? OPT_TEXT : OPT_FLAG,
			.value = h->options[i].value,
			.help = h->options[i].help,
		};
}

size_t describe_all(struct opts_of out[DESCRIBE_MAX])
{
	size_t n = 0;

	assert(ARRAY_LEN(verbs) + ARRAY_LEN(others) <= DESCRIBE_MAX);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		char *argv[] = {(char *)(uintptr_t)verbs[i].name, NULL};

		opts_collect(&out[n++]);
		(void)verbs[i].run(1, argv, &verbs[i]);
	}
	opts_collect(NULL);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		collect_other(others[i], &out[n++]);
	return n;
}

static void usage(FILE *to)
{
	fputs("NotForOil: run jobs in a sandbox, with secrets, logs and "
	      "artifacts.\n\n  nfo COMMAND [OPTION...]\n\n",
	      to);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		fprintf(to, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		fprintf(to, "  %-10s %s\n", others[i]->name,
			others[i]->summary);
	fputs("\nEach has --help. Without a server a private one is started.\n",
	      to);
}

static int no_such(const char *name)
{
	const char *like = NULL;

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (str_distance(str_from(name), str_from(verbs[i].name), 2) <=
		    2)
			like = verbs[i].name;
	fprintf(stderr, "nfo: no command \"%s\"%s%s%s (see nfo --help)\n", name,
		like ? "; did you mean \"" : "", like ? like : "",
		like ? "\"?" : "");
	return EXIT_USAGE;
}

static int run_verb(int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (!strcmp(verbs[i].name, argv[0]))
			return verbs[i].run(argc, argv, &verbs[i]);
	for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
		if (!strcmp(hidden[i].name, argv[0]))
			return hidden[i].run(argc, argv, &hidden[i]);
	return no_such(argv[0]);
}

/* nfo help VERB */
static int help(const char *name)
{
	char *argv[] = {(char *)(uintptr_t)name, (char *)(uintptr_t) "--help",
			NULL};

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (!strcmp(others[i]->name, name)) {
			command_help_print(others[i]);
			return EXIT_DONE;
		}
	return run_verb(2, argv);
}

int cli_main(int argc, char **argv)
{
	(void)setlocale(LC_CTYPE, "");
	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "help") && argc > 2)
		return help(argv[2]);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help")) {
		usage(stdout);
		return EXIT_DONE;
	}
	if (!strcmp(argv[1], "--version"))
		argv[1] = (char *)(uintptr_t) "version";
	return run_verb(argc - 1, argv + 1);
}
