/* SPDX-License-Identifier: ISC
 *
 * The projector over a made-up journal: the events and lines it writes, and
 * what it does when its disk is full or the journal went on without it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "relay/audit/lookup.h"
#include "relay/audit/note.h"
#include "relay/audit/projector_int.h"
#include "relay/base/id.h"
#include "relay/base/log.h"
#include "relay/mail/actor.h"
#include "tests/unit/auditfixture.h"

/* ---- what is written --------------------------------------------------- */

static void a_delivery_is_told_with_all_its_fields(void **state)
{
	static const char *const wanted[] = {
		"{\"time\":\"2026-11-22T05:12:17.000000Z\",\"node\":1,"
		"\"event\":\"accepted\",\"id\":\"",
		"\"client\":\"192.0.2.1\",\"name\":\"mx.example.org\","
		"\"listen\":\"old-mx\",\"helo\":\"mx.example.org\","
		"\"tls\":\"\","
		"\"from\":\"bob@example.org\",\"message_id\":\"<",
		"\"size\":4096,\"recipients\":1,\"spf\":\"\"}",
		"{\"time\":\"2026-11-22T05:12:17.500000Z\",\"node\":1,"
		"\"event\":\"deferred\",\"id\":\"",
		"\"to\":\"Ann@example.com\",\"leg\":\"cloud\","
		"\"role\":\"primary\",\"change\":7,"
		"\"relay\":\"mx1.example.net [192.0.2.7]:25\",\"code\":451,"
		"\"enhanced\":\"4.3.2\",\"reply\":\"4.3.2 not now\","
		"\"class\":\"throttle\",\"stage\":\"data\",\"attempt\":1,"
		"\"delay_ms\":500,\"tls\":\"TLSv1.3 TLS_AES_256_GCM_SHA384\"}",
		"\"event\":\"delivered\"",
		"\"attempt\":2,\"delay_ms\":1500,",
	};
	struct fixture *f = *state;
	const char *text;
	char *lines;

	usual_mail(f, 1, MINUTE);
	run(f);
	text = trace(f, (struct search){.id = fake_id(T0, 0)});
	assert_int_equal(f->founds, 3);
	lines = read_events(f);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		print_message("%s\n", wanted[i]);
		assert_non_null(strstr(text, wanted[i]));
		if (wanted[i][0] != '{') /* there, pos stands between */
			assert_non_null(strstr(lines, wanted[i]));
	}
	assert_int_equal(count(lines, "\"pos\":\"1:"), 3);
	mem_free(lines);
}

static void each_move_has_its_event(void **state)
{
	static const struct {
		enum dstate old, state;
		enum why why;
		const char *event, *by;
	} cases[] = {
		{D_QUEUED, D_HELD, WHY_HOLD, "held", "change 9"},
		{D_HELD, D_QUEUED, WHY_RELEASE, "released", "change 9"},
		{D_QUEUED, D_FROZEN, WHY_ADMIN, "frozen", "joe"},
		{D_FROZEN, D_QUEUED, WHY_ADMIN, "thawed", "joe"},
		{D_PARKED, D_QUEUED, WHY_ADMIN, "retried", "joe"},
		{D_QUEUED, D_SUPERSEDED, WHY_ROUTE, "superseded", "change 9"},
		{D_NONE, D_QUEUED, WHY_ROUTE, "routed", "change 9"},
		{D_NONE, D_QUEUED, WHY_ADMIN, "replayed", "joe"},
		{D_QUEUED, D_PARKED, WHY_NO_ROUTE, "parked", "policy"},
		{D_QUEUED, D_PARKED, WHY_LIFETIME, "parked", "policy"},
		{D_PARKED, D_BOUNCED, WHY_ADMIN, "bounced", "joe"},
		{D_PARKED, D_DELETED, WHY_ADMIN, "deleted", "joe"},
	};
	const struct actor joe = {"joe", "because"};
	struct fixture *f = *state;
	struct strbuf detail;
	char want[64];
	const char *text;

	strbuf_init(&detail, 4096);
	actor_pack(&joe, &detail);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct spool_update u = {.delivery = 0,
		    .to = now(f, cases[i].state, 0)};

		fake_accepted(
		    &f->j, fake_id(T0, i), T0, "", ann, f->cloud);
		u.to.reason = (uint8_t)cases[i].why;
		u.to.change = 9;
		if (strcmp(cases[i].event, "replayed") == 0)
			u.to.flags = DF_PINNED | DF_REPLAYED;
		if (cases[i].why == WHY_ADMIN)
			u.detail = strbuf_view(&detail);
		fake_update(&f->j, fake_id(T0, i), T0, cases[i].old, &u);
	}
	strbuf_fini(&detail);
	run(f);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].event);
		text = trace(f, (struct search){.id = fake_id(T0, i)});
		snprintf(want, sizeof(want), "\"event\":\"%s\"",
		    cases[i].event);
		assert_non_null(strstr(text, want));
		snprintf(want, sizeof(want), "\"by\":\"%s\",\"reason\":\"%s",
		    cases[i].by, cases[i].why == WHY_ADMIN ? "because" : "");
		assert_non_null(strstr(text, want));
	}
}

static void a_notification_is_told_with_what_it_is_about(void **state)
{
	const char *const bob[] = {"bob@example.org"};
	struct envelope_rcpt rcpt = {.to = bob[0], .orcpt = ""};
	struct envelope e = {.id = fake_id(T0, 2), .accepted_us = T0,
	    .client = "", .client_name = "", .listen = "", .helo = "",
	    .tls = "", .from = "", .envid = "", .message_id = "", .spf = "",
	    .rcpt = &rcpt, .rcpts = 1};
	struct fixture *f = *state;
	struct spool_delivery d = now(f, D_QUEUED, 0);
	char dsn[ID_TEXT], about[ID_TEXT], want[200];
	const char *text;

	id_text(e.id, dsn);
	id_text(fake_id(T0, 1), about);
	fake_accepted(&f->j, fake_id(T0, 1), T0, bob[0], ann, f->cloud);
	sent(f, fake_id(T0, 1), T0, D_QUEUED, D_BOUNCED, 1);
	f->j.group = true;
	fake_message(&f->j, REC_ACCEPTED, &e, &d, 1);
	f->j.group = false;
	run(f);
	text = trace(f, (struct search){.id = fake_id(T0, 1)});
	snprintf(want, sizeof(want),
	    "\"event\":\"dsn\",\"id\":\"%s\",\"about\":\"%s\",\"to\":"
	    "\"Ann@example.com\",\"action\":\"failed\",\"sender\":"
	    "\"bob@example.org\"}", dsn, about);
	assert_non_null(strstr(text, want));
	assert_int_equal(count_events(f, "\"event\":\"dsn\""), 1);
}

static void notes_are_events_and_garbage_is_none(void **state)
{
	struct fixture *f = *state;
	struct note_writer w;
	struct strbuf b;
	struct jout *j;

	strbuf_init(&b, 4096);
	j = note_begin(&w, &b, EVENT_REFUSED);
	jout_str(j, "client", "192.0.2.66");
	jout_str(j, "from", "evil@example.org");
	jout_str(j, "to", "ann@example.com");
	jout_int(j, "code", 550);
	note_end(&w);
	fake_note(&f->j, T0, strbuf_view(&b));
	fake_note(&f->j, T0, SLICE("refused{}"));
	fake_note(&f->j, T0, SLICE("x\0{\"a\":1},{\"b\":2}"));
	fake_note(&f->j, T0, SLICE("bad name\0{}"));
	fake_note(&f->j, T0, SLICE(""));
	strbuf_fini(&b);
	run(f);
	trace(f, (struct search){.client = "192.0.2.66"});
	assert_int_equal(f->founds, 1);
	trace(f, (struct search){.to = "ANN@example.com"});
	assert_int_equal(f->founds, 1);
	trace(f, (struct search){.from = "bob@example.org"});
	assert_int_equal(f->founds, 0);
	/* Each that is none is told as missing. */
	assert_int_equal(count_events(f, "\n"), 5);
	assert_int_equal(count_events(f, "\"event\":\"audit.gap\""), 4);
	assert_int_equal(count_events(f, "\"reason\":\"note\""), 4);
	/* At its place, and nothing that there is none of. */
	assert_int_equal(count_events(f,
	    "\"event\":\"audit.gap\",\"records\":1,\"generation\":"), 4);
}

static void an_envelope_that_is_none_is_a_gap(void **state)
{
	struct fixture *f = *state;

	usual_mail(f, 2, MINUTE);
	f->j.rec[0].envelope = SLICE("garbage");
	run(f);
	assert_int_equal(count_events(f, "\"reason\":\"envelope\""), 1);
	trace(f, (struct search){.id = fake_id(T0 + MINUTE, 1)});
	assert_int_equal(f->founds, 3);
}

/* ---- a full disk, and gaps --------------------------------------------- */

static void limit_files(rlim_t bytes)
{
	struct rlimit r;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &r);
	r.rlim_cur = bytes == 0 ? r.rlim_max : bytes;
	setrlimit(RLIMIT_FSIZE, &r);
}

static void a_full_disk_holds_the_journal_and_then_takes_all_in(void **state)
{
	enum { MESSAGES = 60 };
	struct fixture *f = *state;
	struct projector_stats st;
	unsigned dones;

	open_projector(f);
	steps(f, 2);
	usual_mail(f, MESSAGES, 1000000);
	dones = f->j.dones;
	limit_files(8192);
	steps(f, 12);
	projector_stats(f->p, &st);
	assert_true(st.failing);
	assert_int_equal(f->j.dones, dones); /* the journal keeps it */
	limit_files(0);
	steps(f, 12);
	projector_stats(f->p, &st);
	assert_false(st.failing);
	assert_int_equal(st.gap, 0);
	close_projector(f);
	assert_all_once(f, MESSAGES, 1000000);
	assert_lines(f, MESSAGES);
}

static void mail_does_not_wait_for_a_full_audit_disk(void **state)
{
	enum { MESSAGES = 60 };
	struct fixture *f = *state;
	struct projector_stats st;
	struct conserve c;
	char lost[64];
	const char *text;

	open_projector(f);
	steps(f, 2);
	usual_mail(f, MESSAGES, 1000000);
	f->j.low = true;
	limit_files(8192);
	steps(f, 40);
	assert_int_equal(f->j.done.offset, f->j.rec[f->j.n - 1].next.offset);
	limit_files(0);
	f->j.low = false;
	steps(f, 40);
	projector_stats(f->p, &st);
	assert_false(st.failing);
	assert_int_equal(st.gap, MESSAGES * 3);
	close_projector(f);
	text = trace(f, (struct search){.since_us = 0});
	assert_int_equal(count(text, "\"event\":\"audit.gap\""), 1);
	assert_non_null(strstr(text,
	    "\"audit.gap\",\"records\":180,\"reason\":\"space\"}"));
	verify(f, &c, lost);
	assert_int_equal(c.skipped, 1);
}

static void what_was_recycled_unread_is_a_gap_that_carries_heal(void **state)
{
	struct fixture *f = *state;
	struct envelope_rcpt rcpt = {.to = ann[0], .orcpt = ""};
	struct envelope e = {.id = fake_id(T0, 0), .accepted_us = T0,
	    .client = "192.0.2.1", .client_name = "", .listen = "old-mx",
	    .helo = "", .tls = "", .from = "bob@example.org", .envid = "",
	    .message_id = "", .spf = "", .rcpt = &rcpt, .rcpts = 1};
	struct spool_delivery d = now(f, D_DEFERRED, 1);
	const char *text;

	usual_mail(f, 1, MINUTE);
	f->j.n = 2; /* accepted and deferred, both lost to the index */
	fake_message(&f->j, REC_CARRY, &e, &d, 1);
	fake_message(&f->j, REC_CARRY, &e, &d, 1);
	sent(f, e.id, T0 + MINUTE, D_DEFERRED, D_DELIVERED, 2);
	sent(f, fake_id(T0, 9), T0 + MINUTE, D_QUEUED, D_DELIVERED, 1);
	f->j.first = 2;
	run(f);
	text = trace(f, (struct search){.id = e.id});
	assert_int_equal(count(text, "\"event\":\"accepted\""), 1);
	assert_int_equal(count(text, "\"event\":\"delivered\""), 1);
	assert_int_equal(count_events(f, "\"generations\":1"), 1);
	trace(f, (struct search){.id = fake_id(T0, 9)});
	assert_int_equal(f->founds, 1);
}

/* ---- the file of lines ------------------------------------------------- */

static void a_renamed_file_of_events_is_opened_anew(void **state)
{
	struct fixture *f = *state;
	char old[80];

	open_projector(f);
	usual_mail(f, 1, MINUTE);
	steps(f, 3);
	snprintf(old, sizeof(old), "%s.1", f->events);
	assert_int_equal(rename(f->events, old), 0);
	projector_reopen(f->p);
	steps(f, 1);
	fake_accepted(&f->j, fake_id(T0 + HOUR / 2, 1), T0 + HOUR / 2, "", ann,
	    f->cloud);
	steps(f, 3);
	close_projector(f);
	assert_int_equal(count_events(f, "\n"), 1);
	assert_int_equal(count_events(f, "\"event\":\"accepted\""), 1);
	run(f); /* and a restart writes nothing again that was written */
	assert_int_equal(count_events(f, "\n"), 1);
}

/* ---- asked by the daemon ------------------------------------------------ */

static struct lookup *look(struct fixture *f, uint64_t id)
{
	struct lookup *l = lookup_new(id, NULL, 0);

	lookup_fill(f->p, l);
	return l;
}

static void expect_sender(struct fixture *f, uint64_t id, const char *from)
{
	struct lookup *l = lookup_new(id, NULL, 0);

	l->sender = l->carried = true;
	lookup_fill(f->p, l);
	assert_true(l->found && l->from != NULL);
	assert_string_equal(l->from, from);
	lookup_free(l);
}

static void expect_row(const struct lookup *l, unsigned i, uint16_t leg,
    enum dstate state)
{
	assert_true(l->found);
	assert_true(i < l->rows);
	assert_int_equal(l->row[i].leg, leg);
	assert_int_equal(l->row[i].state, state);
	assert_string_equal(l->rcpt[l->row[i].rcpt], ann[0]);
}

/* Before the commit, after it, in a later hour, after a restart. */
static void what_is_on_record_of_a_message_can_be_asked(void **state)
{
	struct fixture *f = *state;
	uint64_t id = fake_id(T0, 1);
	struct spool_update copy = {.delivery = 1, .to = now(f, D_PARKED, 1)};
	struct lookup *l;

	copy.to.leg = f->legacy;
	copy.to.role = ROLE_COPY;
	copy.to.reason = WHY_LOOP;
	open_projector(f);
	fake_accepted(&f->j, id, T0, "bob@example.org", ann, f->cloud);
	projector_step(f->p, 1);
	l = look(f, id);
	expect_row(l, 0, f->cloud, D_QUEUED);
	assert_int_equal(l->rows, 1);
	lookup_free(l);
	expect_sender(f, id, "bob@example.org");

	fake_update(&f->j, id, T0 + MINUTE, D_NONE, &copy);
	steps(f, 3);
	l = look(f, id);
	expect_row(l, 0, f->cloud, D_QUEUED);
	expect_row(l, 1, f->legacy, D_PARKED);
	lookup_free(l);

	sent(f, id, T0 + 2 * HOUR, D_QUEUED, D_DELIVERED, 1);
	steps(f, 3);
	close_projector(f);
	open_projector(f);
	l = look(f, id);
	expect_row(l, 0, f->cloud, D_DELIVERED);
	expect_row(l, 1, f->legacy, D_PARKED);
	assert_int_equal(l->rows, 2);
	lookup_free(l);
	expect_sender(f, id, "bob@example.org");

	l = look(f, fake_id(T0, 2));
	assert_false(l->found);
	lookup_free(l);
	close_projector(f);
}

static void an_hour_each(struct fixture *f, unsigned from, unsigned to)
{
	for (unsigned k = from; k < to; k++) {
		int64_t at = T0 + (int64_t)k * HOUR;

		fake_accepted(&f->j, fake_id(at, 1), at, "", ann, f->cloud);
		steps(f, 3);
	}
}

/* Its id is of an hour long before that of its row. */
static void a_carried_message_is_found_in_a_later_file(void **state)
{
	struct fixture *f = *state;
	uint64_t id = fake_id(T0, 9);
	struct lookup *l;

	open_projector(f);
	an_hour_each(f, 0, 40);
	fake_accepted(&f->j, id, T0 + 40 * HOUR, "", ann, f->cloud);
	an_hour_each(f, 41, 45);
	close_projector(f);
	open_projector(f);
	l = lookup_new(id, NULL, 0);
	l->carried = true;
	lookup_fill(f->p, l);
	expect_row(l, 0, f->cloud, D_QUEUED);
	lookup_free(l);
	sent(f, id, T0 + 45 * HOUR, D_QUEUED, D_DELIVERED, 1);
	steps(f, 3);
	close_projector(f);
	assert_int_equal(count(trace(f, (struct search){.id = id, .limit = 1}),
	    "\"event\":\"delivered\""), 1);
	assert_int_equal(count_events(f, "\"event\":\"delivered\""), 1);
	assert_int_equal(count(trace(f, (struct search){.id = id, .limit = 1}),
	    ann[0]), 1);
}

static unsigned open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* A client that has an old message can have it looked up without end: all the
 * hours since are not read for that. */
static void what_is_not_on_record_costs_little(void **state)
{
	struct fixture *f = *state;
	struct lookup *l;
	unsigned before;

	open_projector(f);
	an_hour_each(f, 30, 40);
	close_projector(f);
	open_projector(f);
	before = open_files();
	l = look(f, fake_id(T0, 2));
	assert_false(l->found);
	lookup_free(l);
	/* The newest, at most. */
	assert_true(open_files() <= before + 1);
	close_projector(f);
}

struct asking {
	struct mailbox box;
	struct lookup *l;
};

static void questions_come_back_when_records_were_read(void **state)
{
	struct fixture *f = *state;
	struct asking a;
	struct letter *got;

	mailbox_init(&a.box);
	open_projector(f);
	fake_accepted(&f->j, fake_id(T0, 1), T0, "", ann, f->cloud);
	a.l = lookup_new(fake_id(T0, 1), &a.box, 7);
	projector_lookup(f->p, a.l);
	assert_false(projector_quiet(f->p));
	lookup_take(f->p, 1000);
	lookup_answer(f->p, 999);
	assert_null(mailbox_take(&a.box));
	projector_step(f->p, 1000);
	lookup_answer(f->p, 1000);
	assert_true(projector_quiet(f->p));
	got = mailbox_take(&a.box);
	assert_ptr_equal(got, &a.l->letter);
	assert_int_equal(got->kind, 7);
	expect_row(a.l, 0, f->cloud, D_QUEUED);
	lookup_free(a.l);
	close_projector(f);
	mailbox_fini(&a.box);
}

static void an_event_says_what_was_found_out_about_its_sender(void **state)
{
	static const char want[] = "\"spf\":\"softfail\",\"spf_by\":"
	    "\"~all example.org\",\"stripped\":2}";
	struct envelope_rcpt rcpt = {.to = ann[0], .orcpt = ""};
	struct envelope e = {.id = fake_id(T0, 1), .accepted_us = T0,
	    .client = "192.0.2.1", .client_name = "", .listen = "old-mx",
	    .helo = "", .tls = "", .from = "bob@example.org", .envid = "",
	    .message_id = "", .spf = "softfail", .rcpt = &rcpt, .rcpts = 1,
	    .spf_by = "~all example.org", .stripped = "2"};
	struct fixture *f = *state;
	struct spool_delivery d = now(f, D_QUEUED, 0);

	fake_message(&f->j, REC_ACCEPTED, &e, &d, 1);
	run(f);
	assert_int_equal(count_events(f, want), 1);
	assert_non_null(strstr(trace(f, (struct search){.id = e.id}), want));
}

static void an_event_says_where_mail_came_from(void **state)
{
	struct envelope_rcpt rcpt = {.to = ann[0], .orcpt = ""};
	struct envelope e = {.id = fake_id(T0, 1), .accepted_us = T0,
	    .client = "192.0.2.1", .client_name = "", .listen = "old-mx",
	    .helo = "", .tls = "", .from = "bob@example.org", .envid = "",
	    .message_id = "", .spf = "", .rcpt = &rcpt, .rcpts = 1,
	    .came_from = "cloud", .parent = fake_id(T0, 0)};
	struct fixture *f = *state;
	struct spool_delivery d = now(f, D_QUEUED, 0);
	char parent[ID_TEXT], want[100];

	id_text(e.parent, parent);
	snprintf(want, sizeof(want), "\"came_from\":\"cloud\",\"parent\":"
	    "\"%s\"", parent);
	fake_message(&f->j, REC_ACCEPTED, &e, &d, 1);
	run(f);
	assert_int_equal(count_events(f, want), 1);
	assert_non_null(strstr(trace(f, (struct search){.id = e.id}), want));
	e = (struct envelope){.id = fake_id(T0, 2)};
	assert_null(strstr(trace(f, (struct search){.id = e.id}), "came"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_on_record_of_a_message_can_be_asked),
		T(a_carried_message_is_found_in_a_later_file),
		T(what_is_not_on_record_costs_little),
		T(questions_come_back_when_records_were_read),
		T(an_event_says_where_mail_came_from),
		T(an_event_says_what_was_found_out_about_its_sender),
		T(a_delivery_is_told_with_all_its_fields),
		T(each_move_has_its_event),
		T(a_notification_is_told_with_what_it_is_about),
		T(notes_are_events_and_garbage_is_none),
		T(an_envelope_that_is_none_is_a_gap),
		T(a_full_disk_holds_the_journal_and_then_takes_all_in),
		T(mail_does_not_wait_for_a_full_audit_disk),
		T(what_was_recycled_unread_is_a_gap_that_carries_heal),
		T(a_renamed_file_of_events_is_opened_anew),
	};

	log_setup(-1, LOG_LV_ERROR, &clock_system);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
