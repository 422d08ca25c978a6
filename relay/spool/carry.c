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
static void give_up(struct spool *s, const struct version *v,
    const struct error *why)
{
	struct spool_op *op = spool_op_new();
	char id[ID_TEXT], name[64];

	id_text(v->id, id);
	snprintf(name, sizeof(name), "damaged.%s", id);
	log_error("spool.message_damaged", kv_id("id", v->id), kv_err(why),
	    kv_str("set_aside", name));
	set_aside(s, v, name);
	for (unsigned i = 0; i < v->n; i++) {
		struct spool_update u = {i, stored_guess(s, v->id, &v->d[i]),
		    slice_str(name)};

		if (!dstate_live(u.to.state))
			continue;
		steady_move(&u.to, -spool_ahead_us(s));
		u.to.state = D_DELETED;
		u.to.reason = WHY_NONE;
		spool_op_update(op, v->id, s->c.clock->wall_us(s->c.clock),
		    &u, 1);
	}
	op_event(s, op, "damaged", name);
	op->flags = OP_SYNC;
	spool_post(s, op);
}

static size_t details_of(const struct stored *m)
{
	size_t n = 0;

	for (unsigned i = 0; i < m->n; i++)
		n += m->detail[i].n;
	return n;
}

static uint64_t carry_max(const struct stored *m, const struct version *v)
{
	return record_accept_max(m->record.accept.envelope.n, m->n,
		   details_of(m), m->record.accept.body.extents) +
	    v->body_bytes;
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

/* Replies that are more than a record holds stay behind. */
static void leave_details(const struct spool *s, struct stored *m)
{
	size_t need = record_accept_max(m->record.accept.envelope.n, m->n, 0,
	    m->record.accept.body.extents);
	size_t room = s->record_max > need ? s->record_max - need : 0;

	for (unsigned i = 0; i < m->n; i++)
		if (m->detail[i].n > room)
			m->detail[i] = slice_of("", 0);
		else
			room -= m->detail[i].n;
}

static void put_carry(struct spool *s, struct stored *m, char *body)
{
	struct journal *j = &s->journal;
	struct rec_accept a = m->record.accept;
	struct iovec iov = {body, a.body.bytes};
	size_t rec, at;
	bool takes;

	a.ahead_us = s->steady.now_us - s->steady.wall_us;
	a.deliveries = m->n;
	a.delivery = m->delivery;
	a.detail = m->detail;
	for (unsigned i = 0; i < m->n; i++)
		steady_move(&a.delivery[i], -a.ahead_us);
	rec = batch_record(&j->batch, REC_CARRY);
	at = record_put_accept(&j->batch.meta, &a, s->c.names);
	if (body != NULL)
		batch_body(&j->batch, at, &iov, 1);
	takes = fill_apply(s, rec);
	PH_ASSERT(takes); /* else its segment would be carried for ever */
	j->carried[j->carries++] = body;
}

enum carried { CARRIED, CARRY_FULL, CARRY_UNREAD };

/* When the disk would not give it it is tried again later, and its segment
 * stays, since only bytes that are there and wrong are damage. Should it last,
 * an administrator may delete the message. */
static enum carried cannot_carry(struct spool *s, const struct version *v,
    const struct error *err)
{
	if (err->no == EBADMSG || err->no == ENODATA) {
		give_up(s, v, err);
		return CARRIED;
	}
	log_error("spool.carry_failed", kv_id("id", v->id), kv_err(err));
	return CARRY_UNREAD;
}

/* Into the batch, if there is room. */
static enum carried carry_stored(struct spool *s, struct stored *m,
    const struct version *v, uint64_t *bytes)
{
	struct journal *j = &s->journal;
	char *body = NULL;
	struct error err;

	leave_details(s, m);
	if (carry_max(m, v) > fill_room(s)) {
		j->full = true;
		return CARRY_FULL;
	}
	if (m->record.accept.body.bytes > 0 &&
	    read_inline(s, v, &m->record.accept.body, &body, &err) < 0)
		return cannot_carry(s, v, &err);
	*bytes += carry_max(m, v);
	put_carry(s, m, body);
	return CARRIED;
}

static enum carried carry_one(struct spool *s, uint32_t number,
    uint64_t *bytes)
{
	struct version *v =
	    index_copy(s, live_at(&s->index.table, number)->id);
	enum carried rc;
	struct stored m;
	struct error err;

	if (stored_read(s, NULL, v, &m, &err) < 0) {
		rc = cannot_carry(s, v, &err);
	} else {
		rc = carry_stored(s, &m, v, bytes);
		stored_fini(&m);
	}
	version_free(v);
	return rc;
}

static bool room_for_one(const struct spool *s, uint64_t bytes)
{
	const struct journal *j = &s->journal;

	return bytes < CARRY_BYTES && j->carries < ARRAY_LEN(j->carried) &&
	    batch_takes_body(&j->batch, 1);
}

void carry_fill(struct spool *s)
{
	struct journal *j = &s->journal;
	const struct live_table *t = &s->index.table;
	uint64_t bytes = 0;

	if (!carry_wanted(s))
		return;
	if (j->victim->live.first == 0 && !index_staged_in(s, j->victim))
		j->oldest = j->victim->generation + 1; /* this head says so */
	for (uint32_t n = j->victim->live.first; n != 0;
	     n = live_at(t, n)->next) {
		enum carried rc;

		/* Touched in this very batch: its reply is not on disk yet. */
		if (index_staged(s, live_at(t, n)->id))
			continue;
		if (!room_for_one(s, bytes))
			return;
		rc = carry_one(s, n, &bytes);
		if (rc == CARRY_UNREAD)
			j->carry_ms = spool_now_ms(s) + WRITE_RETRY_MS;
		if (rc != CARRIED)
			return;
	}
}
