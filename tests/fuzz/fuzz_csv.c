/* SPDX-License-Identifier: ISC
 *
 * A file of routes from anywhere, as records or (first byte odd) as lines.
 * Whatever it holds it comes to an end, in lines that only grow.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "policy/csv.h"
#include "tests/fuzz/fuzz.h"

static int next(struct csv *c, bool lines)
{
	struct error err = {0};
	int rc = lines ? csv_line(c, &err) : csv_next(c, &err);

	must((rc < 0) == (err.text[0] != '\0'));
	return rc;
}

static void check(const struct csv *c, uint64_t before)
{
	size_t n = 0;

	must(c->fields >= 1 && c->fields <= CSV_FIELDS);
	/* The last line needs no line end. */
	must(c->line > before && c->lines + 1 >= c->line);
	for (unsigned i = 0; i < c->fields; i++)
		n += c->field[i].n;
	must(n <= CSV_RECORD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("csv", MFD_CLOEXEC);
	struct csv c;
	uint64_t before = 0;

	must(fd >= 0);
	if (size > 1)
		must(pwrite(fd, data + 1, size - 1, 0) == (ssize_t)size - 1);
	csv_init(&c, fd);
	while (next(&c, size > 0 && data[0] % 2 != 0) > 0) {
		check(&c, before);
		before = c.line;
	}
	csv_fini(&c);
	close(fd);
	return 0;
}
