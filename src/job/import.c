/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Scripts as jobs; see import.h. */
#include "job/import.h"
#include "base/hex.h"
#include "job/keys.h"

#include <string.h>

/* YAML holds printable UTF-8 with tabs and line feeds, and nothing else. */
static bool yaml_holds(struct str s)
{
	if (!str_utf8_valid(s))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			return false;
		if (c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0)
			return false;
		if (c == 0xe2 && (unsigned char)s.p[i + 1] == 0x80 &&
		    ((unsigned char)s.p[i + 2] & 0xfe) == 0xa8)
			return false;
		if (c == 0xef && (unsigned char)s.p[i + 1] >= 0xbb)
			return false;
	}
	return !memmem(s.p, s.len, "${{", 3); /* would be an expression */
}

/* The line behind #!; empty where there is none, or none of plain words. */
static struct str shebang_line(struct str script)
{
	struct str line;

	if (!str_starts(script, STR("#!")))
		return str_n(NULL, 0);
	line = str_from_at(script, 2);
	line = str_trim(str_cut(&line, '\n'));
	for (size_t i = 0; i < line.len; i++)
		if (line.p[i] < 0x20 || line.p[i] > 0x7e)
			return str_n(NULL, 0);
	if (line.len > 1000 || (line.len && memmem(line.p, line.len, "${{", 3)))
		return str_n(NULL, 0);
	return line;
}

/* "#!/bin/bash -e" gives "/bin/bash -e".  Without one a shell runs it, and
 * nothing is added (no -eu). */
static void put_shell(struct str script, struct buf *b)
{
	struct str rest = shebang_line(script);
	struct str program = str_cut(&rest, ' ');

	rest = str_trim(rest);
	buf_str(b, program.len ? program : STR("/bin/sh"));
	/* "env -S a b" is there to split words; `shell` does that. */
	if (str_ends(program, STR("/env")) && str_starts(rest, STR("-S ")))
		rest = str_trim(str_from_at(rest, 3));
	if (rest.len)
		buf_putc(b, ' ');
	buf_str(b, rest);
}

static int write_job(struct str name, struct str script, bool base64,
		     struct buf *b, struct err *e)
{
	CLEANUP_BUF struct buf shell = BUF_INIT(2000);
	CLEANUP_BUF struct buf b64 = BUF_INIT(2 * DOC_TEXT_MAX);
	struct doc *d = doc_new();
	struct doc_node *task;
	int bad;

	doc_add_int(d, d->root, "nfo", 1);
	doc_add_str(d, d->root, "name", name);
	task = doc_add_map(d, doc_add_map(d, d->root, "tasks"), "script");
	put_shell(script, &shell);
	doc_add_str(d, task, "shell", buf_view(&shell));
	if (base64) {
		b64_encode(&b64, script.p, script.len);
		doc_add_str(d, doc_add_map(d, task, "run"), "base64",
			    buf_view(&b64));
	} else {
		doc_add_str(d, task, "run", script);
	}
	bad = doc_write(d->root, DOC_YAML, b, e);
	doc_free(d);
	return bad;
}

int job_import(struct str name, struct str script, struct buf *b,
	       bool *ret_base64, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(8 * DOC_TEXT_MAX);
	bool base64;

	if (!job_name_ok(name))
		return err_set(e, ERR_INVALID,
			       "\"" STR_FMT "\" is no name for a job",
			       STR_ARG(name));
	if (!script.len)
		return err_set(e, ERR_INVALID, "the script is empty");
	if (script.len > DOC_TEXT_MAX)
		return err_set(e, ERR_LIMIT, "a script over 1 MiB");
	base64 = !yaml_holds(script);
	if (write_job(name, script, base64, &text, e))
		return -1;
	/* Indentation makes a script of short lines grow more than base64. */
	if (text.len > DOC_TEXT_MAX && !base64) {
		base64 = true;
		buf_reset(&text);
		if (write_job(name, script, base64, &text, e))
			return -1;
	}
	if (text.len > DOC_TEXT_MAX)
		return err_set(e, ERR_LIMIT, "as a job it is over 1 MiB");
	if (!buf_str(b, buf_view(&text)))
		return err_set(e, ERR_LIMIT, "too large");
	*ret_base64 = base64;
	return 0;
}

void job_import_name(struct str file, char out[64])
{
	const char *slash = file.len ? memrchr(file.p, '/', file.len) : NULL;
	const char *dot;
	size_t n = 0;

	if (slash)
		file = str_from_at(file, (size_t)(slash - file.p) + 1);
	dot = file.len ? memrchr(file.p, '.', file.len) : NULL;
	if (dot && dot != file.p)
		file.len = (size_t)(dot - file.p);
	for (size_t i = 0; i < file.len && n < 63; i++) {
		char c = file.p[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (!((c >= 'a' && c <= 'z') || (n && c >= '0' && c <= '9') ||
		      (n && (c == '-' || c == '_'))))
			c = n ? '-' : '\0';
		if (c)
			out[n++] = c;
	}
	out[n] = '\0';
	if (!n)
		memcpy(out, "script", 7);
}
