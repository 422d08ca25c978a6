/* SPDX-License-Identifier: ISC
 *
 * How many commits a second the journal takes on this disk, beside the plain
 * fdatasync rate of the same disk in the same run, since the one means
 * nothing without the other.
 *
 *   journal DIRECTORY [SECONDS [SESSIONS [BODY]]]
 *
 * First use: segments that the steward has just made. Recycled: the same
 * after the journal has gone round once.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "relay/base/id.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/spool/spool.h"
#include "relay/spool/start/spool_open.h"

enum { K_DONE = 1, SESSIONS_MAX = 1000, SEGMENT = 64 << 20 };

struct bench {
	struct spool *spool;
	struct mailbox in;
	struct id_maker ids;
	char *body;
	size_t body_bytes;
	int leg;
	int64_t asked_us[SESSIONS_MAX];
	int64_t *took_us;
	size_t n, cap;
	uint64_t refused;
};

static int64_t now_us(void)
{
	return clock_system.mono_us(&clock_system);
}

static int64_t cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * INT64_C(1000000) +
	    u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static void send_one(struct bench *b, uintptr_t session)
{
	struct spool_draft *d = spool_draft_new(b->spool, id_make(&b->ids),
	    &b->in, (void *)session);
	struct spool_delivery to = {.leg = (uint16_t)b->leg,
	    .state = D_QUEUED,
	    .created_us = now_us()};

	if (spool_draft_add(d, slice_of(b->body, b->body_bytes), 0) != ADD_OK)
		b->refused++;
	b->asked_us[session] = now_us();
	spool_draft_commit(d, SLICE("<a@example.net> <b@example.com>"), &to,
	    1, K_DONE);
}

/* Settles it, so that segments can be recycled. */
static void settle(struct bench *b, uint64_t id)
{
	struct spool_op *op = spool_op_new();
	struct spool_update u = {.to = {.leg = (uint16_t)b->leg,
				     .state = D_DELIVERED,
				     .reason = WHY_ATTEMPT,
				     .attempts = 1}};

	u.detail = SLICE("250 2.0.0 Ok");
	spool_op_update(op, id, clock_wall_us(&clock_system), &u, 1);
	spool_post(b->spool, op);
}

static void on_done(struct bench *b, struct letter *l)
{
	struct spool_draft_letter *dl =
	    CONTAINER_OF(l, struct spool_draft_letter, letter);
	uintptr_t session = (uintptr_t)dl->arg;

	if (dl->status != SPOOL_STORED)
		b->refused++;
	else
		settle(b, spool_draft_id(dl->draft));
	if (b->n == b->cap) {
		b->cap = b->cap == 0 ? 4096 : b->cap * 2;
		b->took_us = mem_resize(b->took_us, b->cap * sizeof(int64_t));
	}
	b->took_us[b->n++] = now_us() - b->asked_us[session];
	spool_draft_free(dl->draft);
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void run(struct bench *b, const char *what, int sessions,
    int64_t seconds)
{
	int64_t start = now_us(), cpu = cpu_us(), took;
	int open = sessions;
	struct spool_stats st0, st1;

	b->n = 0;
	b->refused = 0;
	spool_stats(b->spool, &st0);
	for (int i = 0; i < sessions; i++)
		send_one(b, (uintptr_t)i);
	while (open > 0) {
		struct letter *l, *next;

		mailbox_wait(&b->in, 1000);
		for (l = mailbox_take(&b->in); l != NULL; l = next) {
			uintptr_t session = (uintptr_t)CONTAINER_OF(l,
			    struct spool_draft_letter, letter)->arg;

			next = l->next;
			on_done(b, l);
			if (now_us() - start < seconds * 1000000)
				send_one(b, session);
			else
				open--;
		}
	}
	took = now_us() - start;
	cpu = cpu_us() - cpu;
	spool_stats(b->spool, &st1);
	qsort(b->took_us, b->n, sizeof(int64_t), by_time);
	printf("%-10s %7.0f commits/s  %6.0f batches/s  p50 %.2f ms  "
	       "p99 %.2f ms  max %.1f ms  cpu %.1f us each  refused %llu  "
	       "recycled %llu\n",
	    what, (double)b->n * 1e6 / (double)took,
	    (double)(st1.batches - st0.batches) * 1e6 / (double)took,
	    (double)b->took_us[b->n / 2] / 1e3,
	    (double)b->took_us[b->n * 99 / 100] / 1e3,
	    (double)b->took_us[b->n - 1] / 1e3, (double)cpu / (double)b->n,
	    (unsigned long long)b->refused,
	    (unsigned long long)(st1.recycled - st0.recycled));
}

static void plain_syncs(const char *dir, const char *what, bool warm)
{
	static char block[8192];
	char path[4096];
	int64_t start;
	int fd, n = 0;

	snprintf(path, sizeof(path), "%s/sync-rate", dir);
	fd = open(path, O_RDWR | O_CREAT | (warm ? 0 : O_TRUNC), 0600);
	if (fd < 0)
		return;
	start = now_us();
	while (now_us() - start < 1000000) {
		if (pwrite(fd, block, sizeof(block),
			(off_t)n * (off_t)sizeof(block)) < 0 ||
		    fdatasync(fd) < 0)
			break;
		n++;
	}
	printf("%-10s %7d fdatasync/s of 8 KiB\n", what, n);
	close(fd);
	if (warm)
		unlink(path);
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : ".";
	int64_t seconds = argc > 2 ? atol(argv[2]) : 3;
	int sessions = argc > 3 ? (int)atol(argv[3]) : 100;
	char path[4096];
	struct bench *b = NEW(struct bench);
	struct spool_config c = {
	    .segment_bytes = SEGMENT,
	    .max_bytes = 8 * (uint64_t)SEGMENT,
	    .body_memory_bytes = 128 << 20,
	    .memory_window_bytes = 128 << 20,
	    .spares = 4,
	    .clock = &clock_system,
	    .rng = &rng_system,
	    .io = &diskio_system,
	    .names = names_new(),
	};
	struct error err;

	if (sessions < 1 || sessions > SESSIONS_MAX)
		sessions = 100;
	snprintf(path, sizeof(path), "%s/spool", dir);
	c.path = path;
	log_setup(2, LOG_LV_WARN, &clock_system);
	b->leg = names_id(c.names, SLICE("legacy"));
	b->body_bytes = argc > 4 ? (size_t)atol(argv[4]) : 4096;
	b->body = mem_new(b->body_bytes);
	mailbox_init(&b->in);
	id_maker_init(&b->ids, &clock_system, 0);
	b->spool = spool_open(&c, NULL, NULL, &err);
	if (b->spool == NULL || spool_run(b->spool, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	plain_syncs(dir, "appended", false);
	plain_syncs(dir, "warm", true);
	run(b, "first use", sessions, seconds);
	run(b, "recycled", sessions, seconds * 2);
	spool_close(b->spool);
	names_free(c.names);
	mem_free(b->took_us);
	mem_free(b->body);
	mem_free(b);
	return 0;
}
