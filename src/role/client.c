/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* nfo-client: the command line, but for what `nfo` does itself. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
