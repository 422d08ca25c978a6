/* SPDX-License-Identifier: ISC
 *
 * events.jsonl.
 */
#include "relay/audit/eventlog.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/mem.h"

/* BACK_MAX: so far back is looked for a line of before the cursor; more than
 * that is never written between two commits. */
enum { OUT_MAX = 64 << 20, TAIL_STEP = 1 << 16, BACK_MAX = 64 << 20 };

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

static bool before(struct spool_pos a, struct spool_pos b)
{
	if (a.generation != b.generation)
		return a.generation < b.generation;
	return a.offset < b.offset;
}

static bool line_pos(struct slice line, struct spool_pos *pos_out)
{
	json_t *o = json_loadb(line.p, line.n, 0, NULL);
	const char *text = json_string_value(json_object_get(o, "pos"));
	bool is = text != NULL && pos_parse(slice_str(text), pos_out) == 0;

	json_decref(o);
	return is;
}

/* ---- the end of the file ----------------------------------------------- */

/* A walk over whole lines. */
struct log_walk {
	int fd;
	int64_t at;	   /* of the first byte in `buf`  */
	int64_t end;	   /* of the file                 */
	struct strbuf buf; /* what was read from there on */
	size_t used, seen; /* taken; looked through       */
};

static void walk_from(struct log_walk *w, int64_t at)
{
	strbuf_reset(&w->buf);
	w->used = w->seen = 0;
	w->at = at;
}

/* More of the file into the buffer; false at its end. */
static bool walk_read(struct log_walk *w)
{
	int64_t from = w->at + (int64_t)w->buf.n;
	char piece[TAIL_STEP];
	ssize_t n = 0;

	if (from < w->end)
		n = pread(w->fd, piece, sizeof(piece), from);
	if (n > 0)
		strbuf_add(&w->buf, piece, (size_t)n);
	return n > 0 && strbuf_ok(&w->buf);
}

/* The next line without its end, until the next call; false: none is left. */
static bool walk_next(struct log_walk *w, struct slice *line_out)
{
	size_t end;
	long hit;

	while ((hit = slice_find(slice_from(strbuf_view(&w->buf), w->seen),
		    '\n')) < 0) {
		strbuf_drop_front(&w->buf, w->used);
		w->at += (int64_t)w->used;
		w->used = 0;
		w->seen = w->buf.n;
		if (!walk_read(w))
			return false;
	}
	end = w->seen + (size_t)hit;
	*line_out = slice_of(w->buf.p + w->used, end - w->used);
	w->used = w->seen = end + 1;
	return true;
}

/* Stands before a line of a record before `cursor`, not far from the last of
 * them, or at the beginning. */
static void walk_back(struct log_walk *w, struct spool_pos cursor)
{
	struct spool_pos pos;
	struct slice line;
	int64_t block = w->end, at = 0;

	while (block > 0 && w->end - block < BACK_MAX) {
		block = block > TAIL_STEP ? block - TAIL_STEP : 0;
		walk_from(w, block);
		if (block > 0 && !walk_next(w, &line)) /* a part of one */
			continue;
		at = w->at + (int64_t)w->used;
		if (walk_next(w, &line) && line_pos(line, &pos) &&
		    before(pos, cursor))
			break;
	}
	walk_from(w, at);
}

/* Where what counts ends, and from which record on lines are wanted. */
static int64_t walk_on(struct log_walk *w, struct spool_pos cursor,
    struct spool_pos *from_out)
{
	int64_t keep = w->at;
	struct spool_pos pos;
	struct slice line;
	bool whole = true; /* all since the last before the cursor */

	*from_out = cursor;
	while (walk_next(w, &line)) {
		bool is = line_pos(line, &pos);
		bool safe = is && before(pos, cursor);

		whole = safe || (whole && is);
		if (!whole)
			continue;
		keep = w->at + (int64_t)w->used;
		*from_out = safe ? cursor : pos;
	}
	return keep;
}

static int read_tail(struct eventlog *l, struct spool_pos cursor,
    struct error *err)
{
	struct log_walk w = {.fd = l->fd, .end = lseek(l->fd, 0, SEEK_END)};

	strbuf_init(&w.buf, OUT_MAX);
	walk_back(&w, cursor);
	l->size = walk_on(&w, cursor, &l->from);
	strbuf_fini(&w.buf);
	if (l->size < w.end && ftruncate(l->fd, l->size) != 0)
		return error_sys(err, errno, "%s: truncate", l->path);
	return 0;
}

/* ---- opening ----------------------------------------------------------- */

/* The name of a new file must be as safe as what is synced into it. */
static int sync_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash == NULL ? mem_strdup(".") : mem_strdup(path);
	int fd, rc;

	if (slash != NULL)
		dir[slash == path ? 1 : slash - path] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd < 0 ? -1 : fsync(fd);
	if (fd >= 0)
		close(fd);
	mem_free(dir);
	return rc;
}

int eventlog_open(struct eventlog *l, struct spool_pos cursor,
    struct error *err)
{
	if (l->path[0] == '\0')
		return 0;
	l->fd = open(l->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (l->fd < 0)
		return error_sys(err, errno, "%s", l->path);
	l->synced = cursor;
	if (read_tail(l, cursor, err) != 0)
		return -1;
	if (l->size == 0 && sync_name(l->path) != 0)
		return error_sys(err, errno, "%s: sync of its folder", l->path);
	return 0;
}

bool eventlog_wants(const struct eventlog *l, struct spool_pos pos)
{
	if (l->path[0] == '\0')
		return false;
	return !before(pos, l->from);
}

/* Part of a line must not stay: the next writer would garble it. */
static int undo(struct eventlog *l, int no, struct error *err)
{
	if (ftruncate(l->fd, l->size) != 0)
		close_file(l);
	strbuf_reset(&l->out);
	return error_sys(err, no, "%s: write", l->path);
}

/* If this fails too, all that was not synced is written once more. The place
 * in the last line says nothing: it may be of a spool that was replaced, whose
 * places are above those of the present one. */
static int open_again(struct eventlog *l, struct error *err)
{
	struct spool_pos synced = l->synced;

	if (eventlog_open(l, synced, err) != 0)
		return -1;
	l->from = synced;
	return 0;
}

int eventlog_write(struct eventlog *l, struct spool_pos next,
    struct error *err)
{
	struct slice rest = strbuf_view(&l->out);

	if (l->path[0] == '\0')
		return 0;
	if (l->fd < 0 && open_again(l, err) != 0) {
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
	if (l->fd < 0) /* closed after a failure: nothing more is synced */
		return 0;
	if (fdatasync(l->fd) != 0)
		return error_sys(err, errno, "%s: sync", l->path);
	l->synced = l->from;
	return 0;
}

int eventlog_reopen(struct eventlog *l, struct error *err)
{
	struct spool_pos from;

	if (eventlog_sync(l, err) != 0)
		return -1;
	from = l->fd < 0 ? l->synced : l->from;
	close_file(l);
	if (eventlog_open(l, from, err) != 0)
		return -1;
	l->from = from;
	return 0;
}
