/* SPDX-License-Identifier: ISC
 *
 * Prints what conf/posthouse.conf and the middle of doc/posthouse.conf.5 are:
 * `make conf-doc` writes both files from the table.
 */
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"

enum { OUT_MAX = 1 << 20 };

int main(int argc, char **argv)
{
	struct strbuf out;
	bool ok;

	if (argc != 2 || (strcmp(argv[1], "sample") != 0 &&
			     strcmp(argv[1], "man") != 0)) {
		fprintf(stderr, "usage: confdoc sample|man\n");
		return 2;
	}
	strbuf_init(&out, OUT_MAX);
	if (strcmp(argv[1], "man") == 0)
		conf_print_man(&out);
	else
		conf_print_sample(&out);
	ok = strbuf_ok(&out) && fwrite(out.p, 1, out.n, stdout) == out.n &&
	     fflush(stdout) == 0;
	strbuf_fini(&out);
	return ok ? 0 : 1;
}
