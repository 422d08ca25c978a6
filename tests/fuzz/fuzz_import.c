/* SPDX-License-Identifier: ISC
 *
 * Files of directories and other mail servers: the first byte says which
 * format. Whatever a file holds, it is read to its end; each row has a key at a
 * domain of ours in canonical form and values that the table takes, and each
 * fault a line and a reason.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/import/import.h"
#include "policy/row.h"
#include "relay/base/mem.h"
#include "relay/base/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/import_conf.h"

enum { FORMATS = IMPORT_PASSWD };

/* Once for all inputs. */
static struct conf *load(void)
{
	static struct conf *c;
	char path[64];
	struct error err;
	int fd;

	if (c != NULL)
		return c;
	fd = memfd_create("conf", MFD_CLOEXEC);
	must(fd >= 0 && fchmod(fd, 0600) == 0);
	must(pwrite(fd, import_conf, sizeof(import_conf) - 1, 0) ==
	     (ssize_t)sizeof(import_conf) - 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	c = conf_load(path, names_new(), &err);
	must(c != NULL);
	close(fd);
	return c;
}

static void check_tags(const char *tags)
{
	struct strbuf out;
	struct error err;

	if (tags == NULL)
		return;
	strbuf_init(&out, ROW_TEXT_MAX);
	must(row_tags(slice_str(tags), &out, &err) == 0);
	strbuf_fini(&out);
}

static int on_row(void *arg, const struct import_row *row, struct error *err)
{
	const struct import_how *how = arg;
	struct strbuf key;

	must(row->line > 0);
	must(utf8_valid(slice_str(row->key)));
	must(conf_domain(how->conf, row_domain(slice_str(row->key))) != NULL);
	strbuf_init(&key, ADDR_MAX);
	must(row_key(slice_str(row->key), &key, err) == 0);
	must(slice_eq(strbuf_view(&key), slice_str(row->key)));
	strbuf_fini(&key);
	must(row->mailbox == NULL || row->mailbox[0] != '\0');
	check_tags(row->tags);
	check_tags(row->keys);
	return 0;
}

static void on_fault(void *arg, uint64_t line, const char *why)
{
	(void)arg;
	must(line > 0 && why[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct import_how how = {.conf = load(), .uid_max = UINT32_MAX,
	    .domain = "example.com"};
	const struct import_sink sink = {on_row, on_fault, NULL, &how};
	struct import_counts counts;
	int fd;

	if (size == 0)
		return 0;
	/* IMPORT_CSV is read by others. */
	how.format = (enum import_format)(IMPORT_CSV + 1 + data[0] % FORMATS);
	fd = memfd_create("import", MFD_CLOEXEC);
	must(fd >= 0);
	must(pwrite(fd, data + 1, size - 1, 0) == (ssize_t)size - 1);
	import_read(&how, fd, &sink, &counts);
	must((counts.foreign > 0) == (counts.first_foreign[0] != '\0'));
	close(fd);
	return 0;
}
