/* SPDX-License-Identifier: ISC
 *
 * Mail in a true spool, for tests of what reads the journal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "relay/audit/note.h"
#include "relay/mail/result.h"
#include "relay/spool/start/spool_open.h"
#include "tests/unit/audit_spool.h"

enum { WAIT_MS = 100, WAITS_MAX = 300, COMMIT = 1, OP = 2 };

void audit_spool_init(struct audit_spool *r, struct fixture *f)
{
	*r = (struct audit_spool){.f = f};
	snprintf(r->path, sizeof(r->path), "%s/spool", f->dir);
	mailbox_init(&r->in);
	id_maker_init(&r->ids, &clock_system, 1);
}

void audit_spool_fini(struct audit_spool *r)
{
	mailbox_fini(&r->in);
	remove_dir(r->path);
}

static void on_message(void *arg, const struct spool_told *m)
{
	(void)arg;
	(void)m;
}

static void on_damage(void *arg, const char *line)
{
	(void)arg;
	fail_msg("%s", line);
}

void audit_spool_start(struct audit_spool *r)
{
	const struct spool_recovered told = {.message = on_message,
	    .damage = on_damage};
	const struct spool_config c = {.path = r->path,
	    .segment_bytes = 1 << 20,
	    .max_bytes = 64 << 20,
	    .body_memory_bytes = 8 << 20,
	    .memory_window_bytes = 8 << 20,
	    .spares = 3,
	    .retain_us = 1000000,
	    .clock = &clock_system,
	    .rng = &rng_system,
	    .io = &diskio_system,
	    .names = r->f->names,
	    .projector = true};
	struct spool_start found;
	struct error err = {.text = ""};

	r->spool = spool_open(&c, &told, &found, &err);
	assert_string_equal(err.text, "");
	r->f->p = projector_open(
	    &r->f->conf, r->spool, r->f->names, &clock_system, &err);
	assert_non_null(r->f->p);
	assert_int_equal(spool_run(r->spool, &err), 0);
	assert_int_equal(projector_run(r->f->p, &err), 0);
}

void audit_spool_stop(struct audit_spool *r)
{
	projector_stop(r->f->p, INT64_MAX);
	spool_close(r->spool);
	close_projector(r->f);
}

static void take_letter(struct letter *l)
{
	struct spool_op *op;

	if (l->kind == COMMIT) {
		spool_draft_free(CONTAINER_OF(
		    l, struct spool_draft_letter, letter)->draft);
		return;
	}
	op = CONTAINER_OF(l, struct spool_op, letter);
	assert_int_equal(op->status, SPOOL_STORED);
	if (op->group != NULL)
		spool_draft_free(op->group);
	spool_op_free(op);
}

static void settle(struct audit_spool *r)
{
	for (int i = 0; i < WAITS_MAX && r->owed > 0; i++) {
		struct letter *l, *next;

		mailbox_wait(&r->in, WAIT_MS);
		for (l = mailbox_take(&r->in); l != NULL; l = next) {
			next = l->next;
			r->owed--;
			take_letter(l);
		}
	}
	assert_int_equal(r->owed, 0);
}

static struct spool_draft *draft(struct audit_spool *r, uint64_t id, bool dsn,
    struct strbuf *envelope)
{
	struct envelope_rcpt to = {
	    .to = dsn ? "bob@example.org" : ann[0], .orcpt = ""};
	struct envelope e = {.id = id, .accepted_us = id_wall_ms(id) * 1000,
	    .client = dsn ? "" : "192.0.2.1", .client_name = "",
	    .listen = dsn ? "" : "old-mx", .helo = "", .tls = "",
	    .from = dsn ? "" : "bob@example.org", .envid = "",
	    .message_id = "", .spf = "", .rcpt = &to, .rcpts = 1};
	struct spool_draft *d = spool_draft_new(r->spool, id, &r->in, NULL);

	assert_int_equal(spool_draft_add(d, SLICE("Subject: x\r\n\r\nx\r\n"),
			     COMMIT), ADD_OK);
	strbuf_init(envelope, ENVELOPE_MAX);
	envelope_pack(&e, envelope);
	return d;
}

static uint64_t accept_one(struct audit_spool *r)
{
	struct spool_delivery d = now(r->f, D_QUEUED, 0);
	uint64_t id = id_make(&r->ids);
	struct strbuf envelope;
	struct spool_draft *dr = draft(r, id, false, &envelope);

	d.created_us = clock_wall_us(&clock_system);
	spool_draft_commit(dr, strbuf_view(&envelope), &d, 1, COMMIT);
	strbuf_fini(&envelope);
	r->owed++;
	return id;
}

/* An attempt on the first delivery; with a notification when `dsn`. */
static void attempt(struct audit_spool *r, uint64_t id, enum dstate state,
    uint64_t dsn)
{
	struct result res = {.outcome = OUT_FAILED, .code = 550,
	    .stage = STAGE_RCPT, .remote = "mx [192.0.2.7]:25", .text = "no",
	    .tls = "", .address = ""};
	struct spool_update u = {.to = now(r->f, state, 1)};
	struct spool_op *op = spool_op_new();
	struct spool_delivery d = now(r->f, D_QUEUED, 0);
	struct strbuf b, envelope;

	strbuf_init(&b, 4096);
	result_pack(&res, &b);
	u.to.reason = WHY_ATTEMPT;
	u.detail = strbuf_view(&b);
	op->to = &r->in;
	op->kind = OP;
	spool_op_update(op, id, clock_wall_us(&clock_system), &u, 1);
	if (dsn != 0) {
		op->group = draft(r, dsn, true, &envelope);
		spool_draft_prepare(
		    op->group, strbuf_view(&envelope), &d, 1);
		strbuf_fini(&envelope);
	}
	strbuf_fini(&b);
	spool_post(r->spool, op);
	r->owed++;
}

static void note(struct audit_spool *r)
{
	struct spool_op *op = spool_op_new();
	struct note_writer w;
	struct strbuf b;

	strbuf_init(&b, 4096);
	jout_str(note_begin(&w, &b, EVENT_REFUSED), "client", "192.0.2.66");
	note_end(&w);
	op->to = &r->in;
	op->kind = OP;
	spool_op_note(op, NOTE_REFUSED, clock_wall_us(&clock_system),
	    strbuf_view(&b));
	strbuf_fini(&b);
	spool_post(r->spool, op);
	r->owed++;
}

void audit_spool_mail(struct audit_spool *r)
{
	for (unsigned i = 0; i < SPOOL_MESSAGES; i++)
		r->id[i] = accept_one(r);
	settle(r);
	for (unsigned i = 0; i < SPOOL_MESSAGES; i++)
		attempt(r, r->id[i], i % 2 ? D_DEFERRED : D_DELIVERED, 0);
	settle(r);
	attempt(r, r->id[1], D_BOUNCED, id_make(&r->ids));
	attempt(r, r->id[3], D_DELIVERED, 0);
	attempt(r, r->id[0], D_BOUNCED, 0); /* over: the journal ignores it */
	note(r);
	settle(r);
}
