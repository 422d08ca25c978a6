/* SPDX-License-Identifier: ISC
 *
 * The same code with its threads, on a real disk: sessions on two threads
 * accept, settle and fetch at once, then all is stopped and found again. Made
 * for the thread sanitizer.
 */
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/spool/spool.h"
#include "relay/spool/start/spool_open.h"

enum { WORKERS = 2, OPEN = 8, ROUNDS = 150, K_DONE = 1, K_OP, K_FETCH, K_ROOM };

struct worker {
	struct spool *spool;
	struct mailbox in;
	uint64_t next, last; /* ids */
	uint64_t kept[ROUNDS * OPEN];
	unsigned kept_n, open, bad;
	int leg;
	bool waiting; /* for room */
	pthread_t thread;
};

static size_t body_size(uint64_t id)
{
	return id % 16 == 0 ? 200000 : id % 5000;
}

static void take(struct worker *w);

static void send_one(struct worker *w)
{
	uint64_t id = w->next++;
	struct spool_draft *d = spool_draft_new(w->spool, id, &w->in, w);
	struct spool_delivery to = {
	    .leg = (uint16_t)w->leg, .state = D_QUEUED};
	size_t n = body_size(id);
	char chunk[8192];

	memset(chunk, (int)(id & 0xff), sizeof(chunk));
	while (n > 0) {
		size_t m = n < sizeof(chunk) ? n : sizeof(chunk);
		enum spool_add rc =
		    spool_draft_add(d, slice_of(chunk, m), K_ROOM);

		if (rc != ADD_OK && rc != ADD_WAIT)
			w->bad++;
		n -= m;
		w->waiting = rc == ADD_WAIT;
		while (w->waiting)
			take(w);
	}
	w->open++;
	spool_draft_commit(d, SLICE("e"), &to, 1, K_DONE);
}

static void after_commit(struct worker *w, struct spool_draft_letter *l)
{
	uint64_t id = spool_draft_id(l->draft);
	struct source *src = spool_draft_source(l->draft);
	struct spool_update u = {.to = {.leg = (uint16_t)w->leg,
				     .state = D_DELIVERED,
				     .attempts = 1}};
	struct spool_op *op;

	if (l->status != SPOOL_STORED)
		w->bad++;
	source_free(src);
	spool_draft_free(l->draft);
	if (id % 10 == 0) {
		struct spool_fetch *f = spool_fetch_new(id, &w->in, K_FETCH);

		w->kept[w->kept_n++] = id;
		f->want_body = true;
		spool_fetch_post(w->spool, f);
		return;
	}
	op = spool_op_new();
	op->to = &w->in;
	op->kind = K_OP;
	spool_op_update(op, id, 1, &u, 1);
	spool_post(w->spool, op);
}

static void after_fetch(struct worker *w, struct spool_fetch *f)
{
	struct slice chunk;
	size_t n = 0;

	if (f->status != 0)
		w->bad++;
	while (f->source != NULL &&
	    source_next(f->source, &chunk) == SOURCE_CHUNK) {
		n += chunk.n;
		if (chunk.p[0] != (char)(f->id & 0xff))
			w->bad++;
	}
	if (n != body_size(f->id))
		w->bad++;
	w->open--;
	spool_fetch_free(f);
}

static void take(struct worker *w)
{
	struct letter *l, *next;

	mailbox_wait(&w->in, 1000);
	for (l = mailbox_take(&w->in); l != NULL; l = next) {
		next = l->next;
		switch (l->kind) {
		case K_DONE:
			after_commit(w, CONTAINER_OF(l,
			    struct spool_draft_letter, letter));
			break;
		case K_FETCH:
			after_fetch(w,
			    CONTAINER_OF(l, struct spool_fetch, letter));
			break;
		case K_OP:
			spool_op_free(
			    CONTAINER_OF(l, struct spool_op, letter));
			w->open--;
			break;
		default:
			w->waiting = false;
			break;
		}
	}
}

static void *run_worker(void *arg)
{
	struct worker *w = arg;

	while (w->next <= w->last || w->open > 0) {
		while (w->next <= w->last && w->open < OPEN)
			send_one(w);
		take(w);
	}
	return NULL;
}

static void remove_all(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[600];

	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		unlink(path);
	}
	if (d != NULL)
		closedir(d);
	rmdir(dir);
}

static void on_message(void *arg, const struct spool_told *m)
{
	*(unsigned *)arg += m->n;
}

static void what_is_not_there_has_no_size(void **state)
{
	struct diskio *io = &diskio_system;

	(void)state;
	assert_true(io->total(io, "/tmp") > 0);
	assert_true(io->space(io, "/tmp") >= 0);
	assert_true(io->total(io, "/tmp") >= io->space(io, "/tmp"));
	assert_int_equal(io->total(io, "/tmp/there/is/no/such"), -1);
	assert_int_equal(io->space(io, "/tmp/there/is/no/such"), -1);
	assert_int_equal(io->size(io, -1), -1);
}

static void threads_lose_and_invent_nothing(void **state)
{
	char dir[] = "/tmp/spool-test-XXXXXX";
	struct spool_config c = {
	    .segment_bytes = 1 << 20,
	    .max_bytes = 64 << 20,
	    .body_memory_bytes = 128 << 10, /* tight, now and then */
	    .memory_window_bytes = 1 << 20,
	    .spares = 4,
	    .clock = &clock_system,
	    .rng = &rng_system,
	    .io = &diskio_system,
	    .names = names_new(),
	};
	static struct worker w[WORKERS];
	struct spool_start start;
	unsigned kept = 0, told = 0;
	struct spool_recovered r = {.arg = &told, .message = on_message};
	struct spool_stats st;
	struct error err;
	struct spool *s, *second;

	(void)state;
	log_setup(-1, LOG_LV_ERROR, &clock_system);
	assert_non_null(mkdtemp(dir));
	c.path = dir;
	s = spool_open(&c, NULL, &start, &err);
	assert_non_null(s);
	second = spool_open(&c, NULL, &start, &err);
	assert_null(second);
	assert_non_null(strstr(err.text, "is in use by process"));
	assert_int_equal(spool_run(s, &err), 0);
	for (int i = 0; i < WORKERS; i++) {
		w[i].spool = s;
		w[i].leg = names_id(c.names, SLICE("legacy"));
		w[i].next = (uint64_t)(i + 1) * 1000000;
		w[i].last = w[i].next + ROUNDS * OPEN - 1;
		mailbox_init(&w[i].in);
		pthread_create(&w[i].thread, NULL, run_worker, &w[i]);
	}
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].bad, 0);
		kept += w[i].kept_n;
	}
	spool_stats(s, &st);
	assert_int_equal(st.live_messages, kept);
	assert_true(st.recycled > 0);
	spool_close(s);
	s = spool_open(&c, &r, &start, &err);
	assert_non_null(s);
	assert_true(start.clean);
	assert_int_equal(start.damaged, 0);
	assert_int_equal(told, kept);
	spool_close(s);
	for (int i = 0; i < WORKERS; i++)
		mailbox_fini(&w[i].in);
	names_free(c.names);
	remove_all(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(threads_lose_and_invent_nothing),
	    cmocka_unit_test(what_is_not_there_has_no_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
