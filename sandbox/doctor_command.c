/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo doctor`: the report of doctor.h for people, or as JSON. */
#include "base/buf.h"
#include "sandbox/command_table.h"
#include "sandbox/doctor.h"
#include "sandbox/sandbox.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	EXIT_USABLE = 0,
	EXIT_NOT_USABLE = 1,
	EXIT_USAGE = 2,
	WIDTH = 76
};

static const char *const marks[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_WEAKER] = "missing",
	[DOCTOR_REFUSED] = "REFUSED",
	[DOCTOR_SKIPPED] = "skipped",
};

static const char *const words[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_WEAKER] = "missing",
	[DOCTOR_REFUSED] = "refused",
	[DOCTOR_SKIPPED] = "skipped",
};

/* Folded at spaces, behind a label. */
static void paragraph(const char *label, const char *text)
{
	const size_t indent = 10;
	size_t column = indent;

	printf("%*s%s", (int)indent, "", label);
	column += strlen(label);
	while (*text) {
		size_t len = strcspn(text, " ");

		if (column + 1 + len > WIDTH) {
			printf("\n%*s", (int)indent + 1, "");
			column = indent + 1;
		}
		printf(" %.*s", (int)len, text);
		column += 1 + len;
		text += len;
		text += strspn(text, " ");
	}
	putchar('\n');
}

static void print_step(const struct doctor_step *s)
{
	bool fine = s->verdict == DOCTOR_OK;
	bool silent = fine || !s->sys || s->verdict == DOCTOR_SKIPPED;

	printf("%-8s %-22s %s%s%s\n", marks[s->verdict], s->name,
	       fine && s->detail[0] ? s->detail : s->purpose,
	       silent ? "" : ": ", silent ? "" : strerror(s->sys));
	if (fine)
		return;
	if (s->detail[0] && s->verdict != DOCTOR_SKIPPED)
		paragraph("what:", s->detail);
	if (s->cause)
		paragraph("why:", s->cause);
	if (s->remedy)
		paragraph("remedy:", s->remedy);
}

static void print_text(const struct doctor_report *r)
{
	size_t missing = 0;

	printf("As %s:\n", r->rootless ? "an ordinary user" : "root");
	for (size_t i = 0; i < r->n_steps; i++) {
		print_step(&r->steps[i]);
		missing += r->steps[i].verdict == DOCTOR_WEAKER;
	}
	if (!r->usable)
		puts("Sandboxes cannot be made here.");
	else if (missing)
		puts("Sandboxes can be made here, without what is missing.");
	else
		puts("Sandboxes can be made here.");
}

static void put_field(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, ",\"%s\":\"", name);
	buf_json(b, str_from(value));
	buf_putc(b, '"');
}

static void print_json(const struct doctor_report *r)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);

	buf_printf(&b, "{\"usable\":%s,\"user\":\"%s\",\"steps\":[",
		   r->usable ? "true" : "false",
		   r->rootless ? "ordinary" : "root");
	for (size_t i = 0; i < r->n_steps; i++) {
		const struct doctor_step *s = &r->steps[i];

		buf_printf(&b, "%s{\"step\":\"%s\",\"verdict\":\"%s\"",
			   i ? "," : "", s->name, words[s->verdict]);
		put_field(&b, "purpose", s->purpose);
		put_field(&b, "detail", s->detail);
		put_field(&b, "error", s->sys ? strerrorname_np(s->sys) : "");
		put_field(&b, "cause", s->cause);
		put_field(&b, "remedy", s->remedy);
		buf_putc(&b, '}');
	}
	buf_puts(&b, "]}");
	puts(buf_cstr(&b));
}

int sandbox_doctor_command(int argc, char **argv)
{
	static struct doctor_report r;
	bool said = argc == 3 && !strcmp(argv[1], "--output");
	bool json = said && !strcmp(argv[2], "json");
	struct err e;

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		command_help_print(&doctor_help);
		return EXIT_USABLE;
	}
	if (argc != 1 && !json && !(said && !strcmp(argv[2], "text"))) {
		fprintf(stderr, "nfo doctor: %s (see nfo doctor --help)\n",
			argv[1]);
		return EXIT_USAGE;
	}
	if (doctor_examine(&r, &e)) {
		fprintf(stderr, "nfo doctor: %s\n", e.text);
		return EXIT_NOT_USABLE;
	}
	if (json)
		print_json(&r);
	else
		print_text(&r);
	return r.usable ? EXIT_USABLE : EXIT_NOT_USABLE;
}
