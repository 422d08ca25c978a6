/* SPDX-License-Identifier: ISC
 *
 * Reads the chunks of a checkpoint, and the rows in them.
 */
#include "relay/spool/chunk_file.h"

#include <fcntl.h>

enum { AHEAD = 12 }; /* rows: about as long as memory takes */

bool chunk_file_open(struct chunk_file *f, struct spool *s, const char *name)
{
	struct strbuf path;

	*f = (struct chunk_file){.s = s};
	strbuf_init(&path, 4096);
	spool_path(s, name, &path);
	f->fd = s->c.io->open(s->c.io, path.p, O_RDONLY, 0);
	strbuf_fini(&path);
	sum_secret(s->key.secret, CHECKPOINT_LANE, 0, f->secret);
	return f->fd >= 0;
}

void chunk_file_close(struct chunk_file *f)
{
	if (f->fd >= 0)
		f->s->c.io->close(f->s->c.io, f->fd);
	mem_free(f->mem);
	row_fini(&f->row);
	*f = (struct chunk_file){.fd = -1};
}

void chunk_file_rewind(struct chunk_file *f)
{
	f->off = 0;
	f->number = f->last_id = 0;
	f->rows = f->ahead = slice_of("", 0);
}

static bool read_more(struct chunk_file *f, size_t from, size_t n)
{
	struct diskio *io = f->s->c.io;

	if (from + n > f->cap) {
		f->mem = mem_resize(f->mem, from + n);
		f->cap = from + n;
	}
	return io->pread(io, f->fd, f->mem + from, n, f->off) == (ssize_t)n;
}

static bool next_head(struct chunk_file *f, struct chunk_head *h)
{
	if (!read_more(f, 0, CHUNK_HEAD) ||
	    !chunk_get(slice_of(f->mem, CHUNK_HEAD), h) ||
	    h->number != f->number)
		return false;
	f->off += CHUNK_HEAD;
	return true;
}

static bool read_chunk(struct chunk_file *f, const struct chunk_head *h,
    struct slice *bytes_out)
{
	if (!read_more(f, CHUNK_HEAD, h->bytes) ||
	    !chunk_valid(slice_of(f->mem, CHUNK_HEAD + h->bytes), h,
		f->secret))
		return false;
	f->off += h->bytes;
	f->number++;
	*bytes_out = slice_of(f->mem + CHUNK_HEAD, h->bytes);
	return true;
}

bool chunk_file_next(struct chunk_file *f, enum chunk_kind *kind_out,
    struct slice *bytes_out)
{
	struct chunk_head h;

	if (!next_head(f, &h))
		return false;
	*kind_out = h.kind;
	return read_chunk(f, &h, bytes_out);
}

bool chunk_file_last(struct chunk_file *f, struct slice *bytes_out)
{
	struct chunk_head h;

	while (next_head(f, &h)) {
		if (h.kind == CHUNK_END)
			return read_chunk(f, &h, bytes_out);
		f->off += h.bytes;
		f->number++;
	}
	return false;
}

/* 1: there are rows; 0: the end; -1: it is not whole. */
static int next_sheet(struct chunk_file *f)
{
	enum chunk_kind kind = CHUNK_ROWS;
	struct slice bytes;

	if (f->rows.n > 0)
		return 1;
	while (f->rows.n == 0) {
		if (!chunk_file_next(f, &kind, &bytes))
			return -1;
		if (kind == CHUNK_END)
			return 0;
		if (kind == CHUNK_ROWS &&
		    sheet_get(bytes, f->s->c.names, &f->rows, &f->legs) < 0)
			return -1;
	}
	f->ahead = f->rows;
	for (int i = 0; i < AHEAD; i++)
		sheet_skip(&f->ahead);
	return 1;
}

uint64_t chunk_file_ahead(struct chunk_file *f)
{
	return sheet_skip(&f->ahead);
}

int chunk_file_row(struct chunk_file *f)
{
	int rc = next_sheet(f);

	if (rc <= 0)
		return rc;
	if (sheet_next(&f->rows, &f->legs, &f->row) < 0 || !f->row.whole ||
	    f->row.id <= f->last_id)
		return -1;
	f->last_id = f->row.id;
	return 1;
}
