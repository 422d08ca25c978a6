/* SPDX-License-Identifier: ISC
 *
 * A queue under a clock that the test owns, with a log of what it started.
 */
#include "tests/unit/queue_fix.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/queue/queue_check.h"
#include "tests/unit/conf_tmp.h"

static const char text[] =
    "hostname = \"r.example\"\n"
    "leg \"legacy\" { hosts = \"a.example\" connections = 3 }\n"
    "leg \"cloud\" { hosts = \"b.example\" connections = 2 }\n"
    "egress \"way\" { direct = true spf_address = \"192.0.2.9\""
    " connections = 8 }\n"
    "domain \"example.com\" { }\n"
    "queue { max = 1000 }\n"
    "retry { steps = { \"10s\", \"20s\", \"40s\" } jitter = 0"
    " lifetime = \"1h\" }\n";

static void on_start(void *arg, int worker, const struct queue_job *job)
{
	struct fixture *f = arg;
	struct started *s = &f->started[f->starts++ % LOG_MAX];

	*s = (struct started){.id = job->id, .leg = job->leg,
	    .worker = worker, .role = job->role, .expired = job->expired,
	    .slot = job->slot, .permit = job->permit, .late = job->late,
	    .change = job->change, .n = job->n};
	for (unsigned i = 0; i < job->n && i < NUMBERS_MAX; i++)
		s->number[i] = job->number[i];
}

static void on_resolve(void *arg, uint64_t id)
{
	struct fixture *f = arg;

	f->resolve[f->resolves++ % LOG_MAX] = id;
}

static void on_wants(void *arg, int leg)
{
	struct fixture *f = arg;

	f->wants[leg]++;
}

static void on_down(void *arg, int leg)
{
	struct fixture *f = arg;

	f->downs[leg]++;
}

static void on_over(void *arg, uint64_t id, const uint32_t *number,
    unsigned n, bool space)
{
	struct fixture *f = arg;

	for (unsigned i = 0; i < n; i++) {
		struct delivery_ref item = fix_row(f, id, number[i]).item;

		f->over[f->overs].id = id;
		f->over[f->overs].number = number[i];
		f->over[f->overs++ % LOG_MAX].space = space;
		item.state = D_DELETED;
		queue_set(f->q, id, &item);
	}
}

static const struct queue_ops ops = {.start = on_start,
    .resolve = on_resolve, .wants_slot = on_wants, .down = on_down,
    .over = on_over};

int fix_setup(void **state)
{
	struct fixture *f = NEW(struct fixture);
	struct queue_config c = {.ops = &ops, .arg = f, .resolve_max = 4};
	void *dir;

	if (conf_tmp_setup(&dir) != 0)
		return -1;
	f->dir = dir;
	f->names = names_new();
	f->conf = conf_tmp_good(dir, text, f->names);
	f->conf->dsn.delay_ms = 0; /* its test says when */
	clock_fake_init(&f->clock, WALL);
	rng_seeded_init(&f->rng, 1);
	f->ledger = ledger_new();
	ledger_configure(f->ledger, f->conf);
	c.clock = &f->clock.clock;
	c.rng = &f->rng.rng;
	c.ledger = f->ledger;
	f->q = queue_new(&c, f->conf);
	*state = f;
	return 0;
}

int fix_teardown(void **state)
{
	struct fixture *f = *state;
	void *dir = f->dir;

	queue_free(f->q);
	ledger_free(f->ledger);
	conf_unref(f->conf);
	names_free(f->names);
	conf_tmp_teardown(&dir);
	mem_free(f);
	return 0;
}

struct delivery_ref fix_item(const struct fixture *f, uint32_t number, int leg)
{
	return (struct delivery_ref){.number = number, .rcpt = number,
	    .leg = (uint16_t)leg, .state = D_QUEUED, .hash = 1000 + number,
	    .change = 1, .created_us = f->clock.wall};
}

void fix_check(const struct fixture *f)
{
	struct queue_checker c = {0};
	const char *why = queue_check(f->q, &c);

	if (why == NULL)
		why = ledger_check(f->ledger, NULL, &c);
	if (why != NULL)
		fail_msg("%s", why);
}

/* Message `id` with one delivery. */
void fix_put(struct fixture *f, uint64_t id, int leg, uint64_t hash)
{
	struct delivery_ref i = fix_item(f, 0, leg);

	i.hash = hash;
	assert_true(queue_insert(f->q, &(struct queue_arrival){id, 100, &i,
	    .n = 1}));
	fix_check(f);
}

static int step(struct fixture *f)
{
	int ms = queue_step(f->q);

	fix_check(f);
	return ms;
}

/* Steps until there is nothing more to do now. */
int fix_settle(struct fixture *f)
{
	int ms = 0;

	for (int i = 0; i < 1000 && ms == 0; i++)
		ms = step(f);
	assert_int_not_equal(ms, 0);
	return ms;
}

void fix_later(struct fixture *f, int64_t s)
{
	clock_fake_step(&f->clock, s * SECOND);
	fix_settle(f);
}

struct queue_row fix_row(const struct fixture *f, uint64_t id,
    uint32_t number)
{
	struct queue_row rows[NUMBERS_MAX];
	unsigned n = queue_message(f->q, id, rows, NUMBERS_MAX);

	for (unsigned i = 0; i < n; i++)
		if (rows[i].item.number == number)
			return rows[i];
	fail_msg("no delivery %u", number);
	return rows[0];
}

/* The worker reports. */
void fix_outcome(struct fixture *f, uint64_t id, uint32_t number,
    enum dstate state)
{
	struct delivery_ref i = fix_row(f, id, number).item;

	i.state = (uint8_t)state;
	i.attempts++;
	i.due_us = queue_next_due(f->q, i.attempts, f->clock.wall);
	queue_set(f->q, id, &i);
	fix_check(f);
}
