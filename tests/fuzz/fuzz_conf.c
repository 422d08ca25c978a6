/* SPDX-License-Identifier: ISC
 *
 * Any bytes as a configuration: it is taken or refused in a sentence, and
 * what is taken can be shown.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct names *names = names_new();
	struct error err = {0};
	struct strbuf path, lines;
	struct conf *c;
	int fd = memfd_create("conf", 0);

	/* One that all can write is refused unread. */
	if (fd < 0 || fchmod(fd, 0600) != 0 ||
	    write(fd, data, n) != (ssize_t)n)
		abort();
	strbuf_init(&path, 100);
	strbuf_init(&lines, 1 << 20);
	strbuf_addf(&path, "/proc/self/fd/%d", fd);
	c = conf_load(strbuf_cstr(&path), names, &err);
	if (c == NULL && strchr(err.text, ':') == NULL)
		abort();
	if (c != NULL && (!conf_diff(c, c, &lines) || lines.n != 0))
		abort();
	conf_unref(c);
	close(fd);
	strbuf_fini(&path);
	strbuf_fini(&lines);
	names_free(names);
	return 0;
}
