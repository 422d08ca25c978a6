/* SPDX-License-Identifier: ISC
 *
 * The table as a file: its write-ahead log, and writes by other programs.
 */
#include "relay/cutover/table_file.h"

#include <sys/stat.h>

#include "policy/change/table_log.h"
#include "relay/base/log.h"

#define EVERY_US INT64_C(10000000)
#define AGAIN_US INT64_C(1000000)
#define LARGE_BYTES INT64_C(67108864)

void table_file_take(struct table_file *f)
{
	struct stat st = {0};

	/* A file that is not there is noticed by the one who opens it. */
	if (stat(f->path, &st) < 0)
		st = (struct stat){0};
	f->inode = st.st_ino;
	f->bytes = st.st_size;
	f->written = st.st_mtim;
}

bool table_file_written(struct table_file *f)
{
	struct table_file was = *f;

	table_file_take(f);
	return was.inode != f->inode || was.bytes != f->bytes ||
	       was.written.tv_sec != f->written.tv_sec ||
	       was.written.tv_nsec != f->written.tv_nsec;
}

void table_file_step(struct table_file *f, int64_t now_us)
{
	int64_t log = table_log_bytes(f->path);
	struct error err;
	int rc;

	if (log == 0)
		f->due_us = now_us + EVERY_US;
	if (now_us < f->due_us - (log > LARGE_BYTES ? EVERY_US - AGAIN_US : 0))
		return;
	rc = table_checkpoint(f->path, &err);
	if (rc < 0)
		log_warn("table.checkpoint", kv_err(&err));
	f->due_us = now_us + EVERY_US;
	table_file_take(f);
}

void table_file_end(struct table_file *f)
{
	struct error err;
	int rc = table_checkpoint(f->path, &err);

	if (rc < 0)
		log_warn("table.checkpoint", kv_err(&err));
	else if (rc == 0)
		log_warn("table.log_left", kv_str("path", f->path),
		    kv_str("effect", "the table is the file and its -wal "
		    "together; copy both or use posthouse table backup"));
}
