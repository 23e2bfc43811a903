/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Replay a corpus through a fuzz target without libFuzzer: every file of every
 * directory (or file) named on the command line, and always the empty input.
 */
#include "base/buf.h"
#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static size_t one(int dir, const char *name)
{
	CLEANUP_BUF struct buf b = BUF_INIT(16 << 20);
	struct err e;

	if (fd_read_file(dir, name, &b, &e)) {
		fprintf(stderr, "%s: %s\n", name, e.text);
		exit(1);
	}
	LLVMFuzzerTestOneInput((const uint8_t *)buf_cstr(&b), b.len);
	return 1;
}

int main(int argc, char **argv)
{
	size_t n = 1;

	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);
		struct dirent *ent;

		if (!d) {
			fprintf(stderr, "%s: no corpus there\n", argv[i]);
			return 1;
		}
		while ((ent = readdir(d)))
			if (ent->d_type == DT_REG)
				n += one(dirfd(d), ent->d_name);
		closedir(d);
	}
	printf("%zu inputs\n", n);
	return n > 1 ? 0 : 1;
}
