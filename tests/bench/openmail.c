/* SPDX-License-Identifier: ISC
 *
 * Fills a spool with open mail, each message deferred once, and measures how
 * long it takes to open it again: openmail SPOOL [MESSAGES [BODY-BYTES]].
 * With two more numbers, USERS and FIND, the messages go to so many recipients
 * in turn and are delivered, and the mail of FIND of them is looked for as a
 * replay does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/base/hash.h"
#include "relay/base/id.h"
#include "relay/base/log.h"
#include "relay/cutover/replay/replay_hunt.h"
#include "relay/mail/envelope.h"
#include "relay/spool/spool.h"
#include "relay/spool/start/spool_open.h"

enum { FLIGHT = 2000, SEGMENT = 64 << 20, COMMITTED = 1, MOVED = 2 };

struct fill {
	struct spool *spool;
	struct mailbox in;
	struct id_maker ids;
	uint16_t leg;
	char *body;
	size_t body_bytes;
	uint64_t asked, stored, moved;
	uint64_t users; /* 0: each message has its own, and is deferred */
};

static uint64_t hash_of(const struct fill *f, uint64_t number)
{
	if (f->users > 0)
		number %= f->users;
	return hash_siphash((uint64_t[2]){1, 2}, &number, sizeof(number)) | 1;
}

static struct spool_delivery delivery(const struct fill *f, enum dstate state,
    uint64_t number)
{
	int64_t now = clock_wall_us(&clock_system);

	return (struct spool_delivery){.leg = f->leg, .state = (uint8_t)state,
	    .attempts = state != D_QUEUED, .created_us = now,
	    .due_us = state == D_DEFERRED ? now + INT64_C(3600000000)
		      : state == D_DELIVERED ? now : 0,
	    .hash = hash_of(f, number)};
}

static void accept_one(struct fill *f)
{
	char to[64];
	struct envelope_rcpt rcpt = {.to = to, .orcpt = ""};
	struct envelope e = {.id = id_make(&f->ids),
	    .accepted_us = clock_wall_us(&clock_system),
	    .client = "192.0.2.1", .listen = "mx", .helo = "client.example",
	    .from = "sender@example.net", .rcpt = &rcpt, .rcpts = 1,
	    .size = f->body_bytes};
	struct spool_draft *d =
	    spool_draft_new(f->spool, e.id, &f->in,
		(void *)(uintptr_t)f->asked);
	struct spool_delivery to_leg = delivery(f, D_QUEUED, f->asked);
	struct strbuf packed;

	snprintf(to, sizeof(to), "user%llu@example.com",
	    (unsigned long long)f->asked);
	if (spool_draft_add(d, slice_of(f->body, f->body_bytes), 0) != ADD_OK)
		exit(1);
	strbuf_init(&packed, ENVELOPE_MAX);
	envelope_pack(&e, &packed);
	spool_draft_sender(d, 77);
	spool_draft_commit(d, strbuf_view(&packed), &to_leg, 1, COMMITTED);
	strbuf_fini(&packed);
	f->asked++;
}

static void move(struct fill *f, uint64_t id, uint64_t number)
{
	struct spool_op *op = spool_op_new();
	bool ends = f->users > 0;
	struct spool_update u = {0, delivery(f, ends ? D_DELIVERED
						     : D_DEFERRED, number),
	    ends ? SLICE("250 2.0.0 taken") : SLICE("451 4.4.1 no answer")};

	if (!ends)
		u.to.hash = 0;
	op->to = &f->in;
	op->kind = MOVED;
	spool_op_update(op, id, clock_wall_us(&clock_system), &u, 1);
	spool_post(f->spool, op);
}

static void on_letter(struct fill *f, struct letter *l)
{
	struct spool_draft_letter *d;

	if (l->kind == MOVED) {
		spool_op_free(CONTAINER_OF(l, struct spool_op, letter));
		f->moved++;
		return;
	}
	d = CONTAINER_OF(l, struct spool_draft_letter, letter);
	if (d->status != SPOOL_STORED) {
		fprintf(stderr, "the spool is full\n");
		exit(1);
	}
	f->stored++;
	move(f, spool_draft_id(d->draft), (uint64_t)(uintptr_t)d->arg);
	spool_draft_free(d->draft);
}

static void fill(struct fill *f, uint64_t messages)
{
	while (f->moved < messages) {
		struct letter *l, *next;

		while (f->asked < messages && f->asked - f->moved < FLIGHT)
			accept_one(f);
		mailbox_wait(&f->in, 1000);
		for (l = mailbox_take(&f->in); l != NULL; l = next) {
			next = l->next;
			on_letter(f, l);
		}
	}
}

static long rss_anon_kb(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[200];
	long kb = -1;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "RssAnon:", 8) == 0)
			kb = strtol(line + 8, NULL, 10);
	if (file != NULL)
		fclose(file);
	return kb;
}

static void on_message(void *arg, const struct spool_told *m)
{
	uint64_t *counts = arg;

	counts[0]++;
	counts[1] += m->envelope.n > 0;
}

/* Seconds; how many were told, and of those with their envelope read. */
static void reopen(const struct spool_config *c)
{
	uint64_t counts[2] = {0};
	struct spool_recovered told = {.arg = counts, .message = on_message};
	int64_t start = clock_mono_ms(&clock_system);
	struct error err;
	struct spool *s = spool_open(c, &told, NULL, &err);

	if (s == NULL) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	printf("open: %lld ms, %llu messages, %llu of them read one by one, "
	    "RssAnon %ld MB\n",
	    (long long)(clock_mono_ms(&clock_system) - start),
	    (unsigned long long)counts[0], (unsigned long long)counts[1],
	    rss_anon_kb() / 1024);
	start = clock_mono_ms(&clock_system);
	spool_close(s);
	printf("close: %lld ms\n",
	    (long long)(clock_mono_ms(&clock_system) - start));
}

static void on_lead(void *arg, const struct replay_lead *lead)
{
	uint64_t *leads = arg;

	*leads += lead->verdict == REPLAY_GO;
}

static long long cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void find(struct fill *f, uint64_t users)
{
	long long cpu = cpu_ms();
	int64_t start = clock_mono_ms(&clock_system);
	uint64_t *hash = NEW_ARRAY(uint64_t, users), leads = 0;
	struct replay_hunt h;
	struct error err;
	int rc;

	for (uint64_t i = 0; i < users; i++)
		hash[i] = hash_of(f, i * (f->users / users));
	replay_hunt_init(&h, f->spool, hash, users);
	h.asked = (struct replay_asked){.from_leg = f->leg,
	    .to_leg = f->leg + 1, .until_us = INT64_MAX};
	while ((rc = replay_hunt_step(&h, &err)) > 0)
		;
	if (rc < 0 || h.unread > 0) {
		fprintf(stderr, "%s\n", rc < 0 ? err.text : "unread");
		exit(1);
	}
	replay_hunt_judge(&h, on_lead, &leads);
	printf("find: %lld ms, %llu deliveries of %llu recipients, CPU %lld "
	    "ms\n", (long long)(clock_mono_ms(&clock_system) - start),
	    (unsigned long long)leads, (unsigned long long)users,
	    cpu_ms() - cpu);
	replay_hunt_fini(&h);
	mem_free(hash);
}

int main(int argc, char **argv)
{
	uint64_t messages = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
	struct fill *f = NEW(struct fill);
	struct error err;
	struct spool_config c = {.path = argc > 1 ? argv[1] : "spool",
	    .segment_bytes = SEGMENT, .max_bytes = UINT64_C(200) << 30,
	    .body_memory_bytes = 128 << 20, .memory_window_bytes = 0,
	    .spares = 4, .clock = &clock_system, .rng = &rng_system,
	    .io = &diskio_system, .names = names_new(),
	    .checkpoint_segments = 4,
	    .retain_us = INT64_C(7) * 86400 * 1000000};

	log_setup(2, LOG_LV_INFO, &clock_system);
	f->leg = (uint16_t)names_id(c.names, SLICE("legacy"));
	f->body_bytes = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000;
	f->body = mem_new(f->body_bytes);
	memset(f->body, 'x', f->body_bytes);
	f->users = argc > 5 ? strtoull(argv[4], NULL, 10) : 0;
	mailbox_init(&f->in);
	id_maker_init(&f->ids, &clock_system, 0);
	f->spool = spool_open(&c, NULL, NULL, &err);
	if (f->spool == NULL || spool_run(f->spool, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	fill(f, messages);
	printf("filled: RssAnon %ld MB\n", rss_anon_kb() / 1024);
	if (f->users > 0)
		find(f, strtoull(argv[5], NULL, 10));
	spool_close(f->spool);
	mailbox_fini(&f->in);
	mem_free(f->body);
	mem_free(f);
	reopen(&c);
	names_free(c.names);
	return 0;
}
