/* SPDX-License-Identifier: ISC
 *
 * events.jsonl.
 */
#include "relay/audit/eventlog.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

#include "relay/base/mem.h"

enum { OUT_MAX = 64 << 20, TAIL_STEP = 1 << 16 };

void eventlog_init(struct eventlog *l, const char *path)
{
	*l = (struct eventlog){.path = path, .fd = -1};
	strbuf_init(&l->out, OUT_MAX);
}

static void close_file(struct eventlog *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

void eventlog_fini(struct eventlog *l)
{
	close_file(l);
	strbuf_fini(&l->out);
}

/* "12:4096" */
static int pos_parse(struct slice s, struct spool_pos *pos_out)
{
	struct slice generation;

	if (!slice_next(&s, ':', &generation) ||
	    !slice_uint(generation, UINT64_MAX, &pos_out->generation) ||
	    !slice_uint(s, UINT64_MAX, &pos_out->offset))
		return -1;
	return 0;
}

static void take_line(struct eventlog *l, struct slice line)
{
	json_t *o = json_loadb(line.p, line.n, 0, NULL);
	const char *text = json_string_value(json_object_get(o, "pos"));
	struct spool_pos pos;

	if (text != NULL && pos_parse(slice_str(text), &pos) == 0)
		l->from = pos;
	json_decref(o);
}

/* The last line end at or before `end`, looked for backwards; -1: none. */
static int64_t line_end_before(int fd, int64_t end)
{
	char buf[TAIL_STEP];

	while (end > 0) {
		int64_t at = end > TAIL_STEP ? end - TAIL_STEP : 0;
		ssize_t n = pread(fd, buf, (size_t)(end - at), at);
		long hit = n > 0 ? slice_rfind(slice_of(buf, (size_t)n), '\n')
				 : -1;

		if (n <= 0)
			return -1;
		if (hit >= 0)
			return at + hit;
		end = at;
	}
	return -1;
}

/* A torn line at the end is cut; the last whole one says where to go on. */
static int read_tail(struct eventlog *l, struct error *err)
{
	int64_t all = lseek(l->fd, 0, SEEK_END);
	int64_t last = line_end_before(l->fd, all);
	int64_t start = last <= 0 ? 0 : line_end_before(l->fd, last) + 1;
	char *line;

	l->size = last + 1;
	if (l->size < all && ftruncate(l->fd, l->size) != 0)
		return error_sys(err, errno, "%s: truncate", l->path);
	if (last <= start)
		return 0;
	line = mem_new((size_t)(last - start));
	if (pread(l->fd, line, (size_t)(last - start), start) == last - start)
		take_line(l, slice_of(line, (size_t)(last - start)));
	mem_free(line);
	return 0;
}

int eventlog_open(struct eventlog *l, struct error *err)
{
	if (l->path[0] == '\0')
		return 0;
	l->fd = open(l->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (l->fd < 0)
		return error_sys(err, errno, "%s", l->path);
	return read_tail(l, err);
}

bool eventlog_wants(const struct eventlog *l, struct spool_pos pos)
{
	if (l->path[0] == '\0')
		return false;
	if (pos.generation != l->from.generation)
		return pos.generation > l->from.generation;
	return pos.offset >= l->from.offset;
}

/* Part of a line must not stay: the next writer would garble it. */
static int undo(struct eventlog *l, int no, struct error *err)
{
	if (ftruncate(l->fd, l->size) != 0)
		close_file(l);
	strbuf_reset(&l->out);
	return error_sys(err, no, "%s: write", l->path);
}

int eventlog_write(struct eventlog *l, struct spool_pos next,
    struct error *err)
{
	struct slice rest = strbuf_view(&l->out);

	if (l->path[0] == '\0')
		return 0;
	if (l->fd < 0 && eventlog_open(l, err) != 0) {
		strbuf_reset(&l->out);
		return -1;
	}
	if (!strbuf_ok(&l->out))
		return undo(l, E2BIG, err);
	while (rest.n > 0) {
		ssize_t n = write(l->fd, rest.p, rest.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return undo(l, errno, err);
		rest = slice_from(rest, (size_t)n);
	}
	l->size += (int64_t)l->out.n;
	l->from = next;
	strbuf_reset(&l->out);
	return 0;
}

int eventlog_sync(struct eventlog *l, struct error *err)
{
	if (l->fd >= 0 && fdatasync(l->fd) != 0)
		return error_sys(err, errno, "%s: sync", l->path);
	return 0;
}

int eventlog_reopen(struct eventlog *l, struct error *err)
{
	struct spool_pos from = l->from;

	if (eventlog_sync(l, err) != 0)
		return -1;
	close_file(l);
	if (eventlog_open(l, err) != 0)
		return -1;
	l->from = from;
	return 0;
}
