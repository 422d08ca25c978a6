/* SPDX-License-Identifier: ISC
 *
 * A file of routes from anywhere, in any coding: as records behind a header,
 * as records alone, or (by the first byte) as lines. Whatever it holds it
 * comes to an end, in lines that only grow, a bad one behind it or not; what
 * is given out is UTF-8.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "policy/csv/csv.h"
#include "relay/base/utf8.h"
#include "tests/fuzz/fuzz.h"

enum mode { HEADER, RECORDS, LINES, MODES };

static int next(struct csv *c, enum mode mode, bool first)
{
	struct error err = {0};
	int rc = mode == LINES		     ? csv_line(c, &err)
		 : mode == HEADER && first ? csv_header(c, &err)
					     : csv_next(c, &err);

	must((rc < 0) == (err.text[0] != '\0'));
	return rc;
}

static void check(const struct csv *c, uint64_t before)
{
	size_t n = 0;

	must(c->fields >= 1 && c->fields <= CSV_FIELDS);
	/* The last line needs no line end. */
	must(c->line > before && c->lines + 1 >= c->line);
	for (unsigned i = 0; i < c->fields; i++) {
		must(utf8_valid(c->field[i]));
		n += c->field[i].n;
	}
	must(n <= CSV_RECORD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("csv", MFD_CLOEXEC), rc;
	enum mode mode = size > 0 ? data[0] % MODES : HEADER;
	struct csv c;
	uint64_t before = 0;
	bool first = true;

	must(fd >= 0);
	if (size > 1)
		must(pwrite(fd, data + 1, size - 1, 0) == (ssize_t)size - 1);
	csv_init(&c, fd);
	while ((rc = next(&c, mode, first)) == CSV_RECORD_READ ||
	       rc == CSV_BAD) {
		if (rc == CSV_RECORD_READ)
			check(&c, before);
		must(c.line > before);
		before = c.line;
		first = false;
	}
	csv_fini(&c);
	close(fd);
	return 0;
}
