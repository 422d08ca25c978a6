/* SPDX-License-Identifier: ISC
 *
 * Writes hours of the audit index by the projector's own writer, each with so
 * many messages that were delivered to one random recipient at once:
 * hours DIR FIRST HOURS MESSAGES USERS. FIRST is the hour since 1970. The last
 * one stays open, the others are sealed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "relay/audit/hours.h"
#include "relay/audit/leg_states.h"
#include "relay/base/id.h"
#include "relay/mail/result.h"

enum { COMMIT_EVERY = 20000 };

struct filling {
	struct hours *index;
	struct id_maker ids;
	uint64_t messages, users, random;
	struct clock_fake clock;
	struct strbuf detail, legs;
};

static void must(bool done, const char *what)
{
	if (done)
		return;
	fprintf(stderr, "hours: %s\n", what);
	exit(1);
}

/* xorshift64 */
static uint64_t next_user(struct filling *f)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return f->random % f->users;
}

static void prepare(struct filling *f)
{
	const struct result r = {.outcome = OUT_DELIVERED, .code = 250,
	    .enh = "2.0.0", .stage = STAGE_BODY, .tls = "", .address = "",
	    .remote = "mx1.new.example [192.0.2.7]:25",
	    .text = "Ok: queued as 4Qb7Zk2Y9Xz1"};
	const struct recipient_leg leg = {.role = ROLE_PRIMARY,
	    .state = D_DELIVERED, .leg = SLICE("cloud")};

	strbuf_init(&f->detail, 4096);
	strbuf_init(&f->legs, 4096);
	result_pack(&r, &f->detail);
	leg_states_print(&f->legs, &leg);
}

static void put_one(struct filling *f, struct hourfile *to)
{
	char address[64], message_id[64];
	struct envelope_rcpt rcpt = {.to = address, .orcpt = ""};
	struct envelope e = {.id = id_make(&f->ids),
	    .accepted_us = f->clock.wall,
	    .client = "192.0.2.1", .client_name = "mail.sender.example",
	    .listen = "mx", .helo = "mail.sender.example",
	    .tls = "TLSv1.3 TLS_AES_256_GCM_SHA384",
	    .from = "a@sender.example",
	    .message_id = message_id, .spf = "pass", .subject = "",
	    .size = 40000, .rcpt = &rcpt, .rcpts = 1};
	const struct delivery_event m = {.kind = EV_DELIVERED, .id = e.id,
	    .time_us = f->clock.wall + 80000, .accepted_us = f->clock.wall,
	    .to = address, .leg = "cloud", .role = ROLE_PRIMARY, .attempt = 1,
	    .change = 1, .detail = strbuf_view(&f->detail)};

	snprintf(address, sizeof(address), "user%" PRIu64 "@example.com",
	    next_user(f));
	snprintf(message_id, sizeof(message_id), "<%" PRIx64
	    ".1@sender.example>", e.id);
	must(hourfile_put_message(to, &e) == 0 &&
		 hourfile_put_recipient(to, e.id, 0, address,
		     strbuf_view(&f->legs)) == 0 &&
		 hourfile_put_event(to, &m) == 0, hourfile_error(to));
}

static void one_hour(struct filling *f, int64_t hour)
{
	struct hourfile *to = hours_current(f->index);
	struct spool_pos at = hourfile_state(to)->cursor;

	for (uint64_t i = 0; i < f->messages; i++) {
		f->clock.wall = hour * HOUR_US + (int64_t)(
			i * (uint64_t)HOUR_US / f->messages);
		put_one(f, to);
		if (i % COMMIT_EVERY != 0 && i + 1 != f->messages)
			continue;
		at.offset += COMMIT_EVERY;
		must(hourfile_commit(to, at, false, false) == 0,
		    hourfile_error(to));
	}
}

int main(int argc, char **argv)
{
	struct filling f = {.random = 88172645463325252u};
	struct error err = {0};
	int64_t first, hours;

	must(argc == 6, "hours DIR FIRST HOURS MESSAGES USERS");
	first = atoll(argv[2]);
	hours = atoll(argv[3]);
	f.messages = strtoull(argv[4], NULL, 10);
	f.users = strtoull(argv[5], NULL, 10);
	must(hours > 0 && f.messages > 0 && f.users > 0, "nothing to do");
	clock_fake_init(&f.clock, first * HOUR_US);
	id_maker_init(&f.ids, &f.clock.clock, 1);
	prepare(&f);
	f.index = hours_open(argv[1], 1, f.clock.wall, &err);
	must(f.index != NULL, err.text);
	for (int64_t i = 0; i < hours; i++) {
		if (i > 0)
			must(hours_roll(f.index, first + i, &err) == 0 &&
				 hours_seal(f.index, &err) == 1, err.text);
		one_hour(&f, first + i);
	}
	hours_close(f.index);
	strbuf_fini(&f.detail);
	strbuf_fini(&f.legs);
	return 0;
}
