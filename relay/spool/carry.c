/* SPDX-License-Identifier: ISC
 *
 * Recycling, strictly oldest first: the live messages of the oldest segment
 * are written again, a slice in each batch so that commits never wait long;
 * when a batch has declared that the segment no longer counts, it goes back
 * to the steward. Writer thread. Each crash point: doc/journal.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "relay/base/assert.h"
#include "relay/base/id.h"
#include "relay/base/log.h"
#include "relay/spool/spool_int.h"

void carry_choose(struct spool *s, struct segment *seg)
{
	if (s->journal.victim != NULL)
		return;
	s->journal.victim = seg;
	mailbox_wake(&s->journal.in);
}

bool carry_wanted(struct spool *s)
{
	bool wanted;

	pthread_mutex_lock(&s->lock);
	wanted = s->journal.victim != NULL;
	pthread_mutex_unlock(&s->lock);
	return wanted;
}

static void drop_bodies(struct journal *j)
{
	for (unsigned i = 0; i < j->carries; i++)
		mem_free(j->carried[i]);
	j->carries = 0;
}

void carry_written(struct spool *s, bool good)
{
	struct journal *j = &s->journal;
	struct segment *seg = j->victim;

	if (good)
		s->carried += j->carries;
	drop_bodies(j);
	PH_ASSERT(j->carries == 0);
	if (seg == NULL || !good)
		return;
	if (j->declared > seg->generation) {
		list_remove(&seg->node);
		segment_move(s, seg, SEG_DIRTY);
		s->recycled++;
		j->victim = NULL;
		space_wake(s);
	}
}

/* Copies what cannot be served to a file of its own, for an administrator to
 * look at, before its place is used again. */
static void set_aside(struct spool *s, const struct version *v,
    const char *name)
{
	size_t n = v->rec_bytes;
	char *raw = mem_new(n);
	struct strbuf path;
	int fd;

	strbuf_init(&path, 4096);
	spool_path(s, name, &path);
	fd = s->c.io->open(s->c.io, path.p, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd >= 0) {
		if (segment_read(s, v->seg, raw, n, v->rec) < 0 ||
		    s->c.io->pwrite(s->c.io, fd, raw, n, 0) < 0 ||
		    s->c.io->fsync(s->c.io, fd) < 0)
			log_error("spool.set_aside_failed",
			    kv_str("file", path.p));
		s->c.io->close(s->c.io, fd);
	}
	strbuf_fini(&path);
	mem_free(raw);
}

/* A live message that cannot be read any more: named, set aside, and its
 * deliveries end here, since they can never be made. */
static void give_up(struct spool *s, struct live *m, const struct error *why)
{
	const struct version *v = m->now;
	struct spool_op *op = spool_op_new();
	char id[ID_TEXT], name[64];

	id_text(m->id, id);
	snprintf(name, sizeof(name), "damaged.%s", id);
	log_error("spool.message_damaged", kv_id("id", m->id), kv_err(why),
	    kv_str("set_aside", name));
	set_aside(s, v, name);
	for (unsigned i = 0; i < v->n; i++) {
		struct spool_update u = {i, v->d[i].d, slice_str(name)};

		if (!dstate_live(u.to.state))
			continue;
		steady_move(&u.to, -spool_ahead_us(s));
		u.to.state = D_DELETED;
		u.to.reason = WHY_NONE;
		spool_op_update(op, m->id, s->c.clock->wall_us(s->c.clock),
		    &u, 1);
	}
	spool_op_note(op, NOTE_SYSTEM, s->c.clock->wall_us(s->c.clock),
	    slice_str(name));
	op->flags = OP_SYNC;
	spool_post(s, op);
}

static uint64_t carry_max(const struct spool *s, const struct version *v)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < v->n; i++)
		n += v->d[i].detail.bytes;
	if (n > s->record_max)
		n = s->record_max;
	return n + v->rec_bytes + v->body_bytes +
	    record_accept_max(0, v->n, 0, 0);
}

static int read_inline(struct spool *s, const struct version *v,
    const struct body_place *y, char **body_out, struct error *err)
{
	char *p = mem_new(y->bytes);

	if (segment_read(s, v->seg, p, y->bytes, y->off) < 0) {
		error_sys(err, errno, "read body");
	} else if (sum_bytes(v->seg->secret, p, y->bytes) != y->sum) {
		error_sys(err, EBADMSG, "read body");
	} else {
		*body_out = p;
		return 0;
	}
	mem_free(p);
	return -1;
}

static void put_carry(struct spool *s, const struct version *v,
    const struct record *r, char *body)
{
	struct journal *j = &s->journal;
	struct detail_reader dr = {0};
	struct rec_accept a = r->accept;
	struct iovec iov = {body, r->accept.body.bytes};
	size_t rec, at, room, need;
	struct arena *mem = arena_new();

	a.deliveries = v->n;
	a.delivery = arena_alloc(mem, v->n * sizeof(*a.delivery));
	a.detail = arena_alloc(mem, v->n * sizeof(*a.detail));
	need = record_accept_max(a.envelope.n, v->n, 0, a.body.extents);
	room = s->record_max > need ? s->record_max - need : 0;
	for (unsigned i = 0; i < v->n; i++) {
		a.delivery[i] = v->d[i].d;
		steady_move(&a.delivery[i],
		    s->steady.wall_us - s->steady.now_us);
		/* Replies that are more than a record holds stay behind. */
		if (v->d[i].detail.bytes > room)
			continue;
		a.detail[i] = detail_read(s, &dr, v->d[i].detail, mem);
		room -= a.detail[i].n;
	}
	rec = batch_record(&j->batch, REC_CARRY);
	at = record_put_accept(&j->batch.meta, &a, s->c.names);
	if (body != NULL)
		batch_body(&j->batch, at, &iov, 1);
	fill_apply(s, rec);
	detail_reader_fini(&dr);
	arena_free(mem);
}

/* False when the disk would not give it: then it is tried again later, and
 * its segment stays, since only bytes that are there and wrong are damage.
 * Should it last, an administrator may delete the message. */
static bool carry_one(struct spool *s, struct live *m)
{
	struct journal *j = &s->journal;
	const struct version *v = m->now;
	struct rec_place at = {v->seg, v->rec, v->rec_bytes, NULL};
	struct record r;
	struct error err;
	char *mem = NULL, *body = NULL;
	bool read = true;

	record_init(&r);
	if (read_record(s, at, &r, &mem, &err) < 0 ||
	    (r.accept.body.bytes > 0 &&
		read_inline(s, v, &r.accept.body, &body, &err) < 0)) {
		read = err.no == EBADMSG || err.no == ENODATA;
		if (read)
			give_up(s, m, &err);
		else
			log_error("spool.carry_failed", kv_id("id", m->id),
			    kv_err(&err));
	} else {
		put_carry(s, v, &r, body);
		j->carried[j->carries++] = body;
	}
	record_fini(&r);
	mem_free(mem);
	return read;
}

void carry_fill(struct spool *s)
{
	struct journal *j = &s->journal;
	uint64_t bytes = 0;

	if (!carry_wanted(s))
		return;
	if (list_empty(&j->victim->live))
		j->oldest = j->victim->generation + 1; /* this head says so */
	list_each(n, &j->victim->live) {
		struct live *m = LIST_ENTRY(n, struct live, node);

		/* Touched in this very batch: its reply is not on disk yet. */
		if (m->next != NULL)
			continue;
		if (carry_max(s, m->now) > fill_room(s)) {
			j->full = true;
			return;
		}
		if (bytes >= CARRY_BYTES ||
		    j->carries == ARRAY_LEN(j->carried) ||
		    !batch_takes_body(&j->batch, 1))
			return;
		bytes += carry_max(s, m->now);
		if (!carry_one(s, m)) {
			j->carry_ms = spool_now_ms(s) + WRITE_RETRY_MS;
			return;
		}
	}
}
