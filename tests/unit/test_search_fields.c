/* SPDX-License-Identifier: ISC
 *
 * A search by what became of a message, by its domain and its subject; and
 * the files of format 1, which are read as they are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "relay/audit/hourfile.h"
#include "relay/base/id.h"
#include "relay/mail/result.h"
#include "tests/unit/auditfixture.h"

static void say(struct fixture *f, uint64_t id, int64_t at,
    const struct result *r, enum dstate old, enum dstate state, uint16_t leg)
{
	struct spool_delivery d = {.rcpt = 0, .leg = leg, .attempts = 1,
	    .state = (uint8_t)state, .reason = WHY_ATTEMPT};
	struct spool_update u = {.delivery = 0, .to = d};
	struct strbuf detail;

	strbuf_init(&detail, 4096);
	result_pack(r, &detail);
	u.detail = strbuf_view(&detail);
	fake_update(&f->j, id, at, old, &u);
	strbuf_fini(&detail);
}

static struct result reply(int code, const char *enh, const char *text,
    const char *address)
{
	struct result r = {.code = code, .stage = STAGE_RCPT,
	    .remote = "mx.test [192.0.2.7]:25", .text = text, .tls = "",
	    .address = address};

	snprintf(r.enh, sizeof(r.enh), "%s", enh);
	return r;
}

static void accepted(struct fixture *f, uint64_t id, int64_t at,
    const char *from, const char *to, const char *subject)
{
	struct envelope_rcpt rcpt = {.to = to, .orcpt = ""};
	struct envelope e = {.id = id, .accepted_us = at,
	    .client = "192.0.2.1", .client_name = "", .listen = "mx",
	    .helo = "", .tls = "", .from = from, .envid = "",
	    .message_id = "", .spf = "", .subject = subject, .rcpt = &rcpt,
	    .rcpts = 1};
	struct spool_delivery d = {.leg = f->cloud, .state = D_QUEUED};

	fake_message(&f->j, REC_ACCEPTED, &e, &d, 1);
}

/* Delivered after a deferral; bounced; delivered elsewhere, null sender; and
 * a refusal. */
static void some_mail(struct fixture *f, uint64_t id[3])
{
	static const char note[] = "refused\0{\"client\":\"192.0.2.1\","
	    "\"from\":\"\",\"to\":\"no@example.com\",\"code\":550,"
	    "\"enhanced\":\"5.1.1\",\"reason\":\"no such user\"}";
	struct result r;

	for (unsigned i = 0; i < 3; i++)
		id[i] = fake_id(T0 + i * HOUR, i);
	accepted(f, id[0], T0, "bob@example.org", "ann@example.com",
	    "Gr\xc3\xbc\xc3\x9f" "e from Bob");
	r = reply(451, "4.7.500", "Server busy", "");
	say(f, id[0], T0 + MINUTE, &r, D_QUEUED, D_DEFERRED, f->cloud);
	r = reply(250, "2.0.0", "Ok: queued as 4Xy7Z", "ann@tenant.example");
	say(f, id[0], T0 + 2 * HOUR, &r, D_DEFERRED, D_DELIVERED, f->cloud);
	accepted(f, id[1], T0 + HOUR, "eve@example.net", "cid@example.com",
	    "");
	r = reply(550, "5.7.64", "TenantAttribution; Relay Access Denied", "");
	say(f, id[1], T0 + HOUR + MINUTE, &r, D_QUEUED, D_BOUNCED, f->cloud);
	accepted(f, id[2], T0 + 2 * HOUR, "", "dan@other.example", "");
	r = reply(250, "2.0.0", "Ok: queued as 9Qq", "");
	say(f, id[2], T0 + 2 * HOUR + MINUTE, &r, D_QUEUED, D_DELIVERED,
	    f->legacy);
	fake_note(&f->j, T0 + 2 * HOUR, slice_of(note, sizeof(note) - 1));
	run(f);
}

/* clang-format off */
static const struct {
	const char *what;
	struct search q;
	const char *found; /* which of them, and n for the note */
} cases[] = {
	{ "null sender",          { .from = "" },                             "2n" },
	{ "sender's domain",      { .domain = "EXAMPLE.org" },                "0" },
	{ "recipient's domain",   { .domain = "example.com" },                "01n" },
	{ "no suffix of one",     { .domain = "ample.com" },                  "" },
	{ "delivered",            { .outcome = "delivered" },                 "02" },
	{ "deferred once",        { .outcome = "deferred" },                  "0" },
	{ "bounced",              { .outcome = "bounced" },                   "1" },
	{ "refused",              { .outcome = "refused" },                   "n" },
	{ "leg",                  { .leg = "legacy" },                        "2" },
	{ "leg and outcome",      { .leg = "cloud", .outcome = "delivered" }, "0" },
	{ "of one delivery",      { .leg = "cloud", .outcome = "delivered", .code = "451" }, "" },
	{ "code",                 { .code = "451" },                          "0" },
	{ "a refusal's too",      { .code = "550" },                          "1n" },
	{ "enhanced code",        { .code = "5.7.64" },                       "1" },
	{ "of a refusal",         { .code = "5.1.1" },                        "n" },
	{ "reply, other case",    { .reply = "tenantattribution" },           "1" },
	{ "reason of a refusal",  { .reply = "such user" },                   "n" },
	{ "rewritten address",    { .address = "Ann@Tenant.example" },        "0" },
	{ "part of an address",   { .address = "ann@tenant" },                "" },
	{ "remote id",            { .remote_id = "4Xy7" },                    "0" },
	{ "subject",              { .subject = "from bob" },                  "0" },
	{ "subject, UTF-8",       { .subject = "Gr\xc3\xbc\xc3\x9f" },        "0" },
	{ "subject of none",      { .subject = "nothing" },                   "" },
	{ "with another key",     { .to = "ann@example.com", .code = "550" }, "" },
	{ "null sender and code", { .from = "", .code = "550" },              "n" },
};
/* clang-format on */

static void each_condition_finds_what_fits(void **state)
{
	struct fixture *f = *state;
	uint64_t id[3];

	some_mail(f, id);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *text = trace(f, cases[i].q);
		char found[8] = "", name[ID_TEXT];
		size_t n = 0;

		print_message("%s\n", cases[i].what);
		for (unsigned k = 0; k < 3; k++) {
			id_text(id[k], name);
			if (strstr(text, name) != NULL)
				found[n++] = (char)('0' + k);
		}
		if (strstr(text, "\"refused\"") != NULL)
			found[n++] = 'n';
		assert_string_equal(found, cases[i].found);
	}
}

static unsigned occurrences(const char *text, const char *what)
{
	unsigned n = 0;

	while ((text = strstr(text, what)) != NULL) {
		text++;
		n++;
	}
	return n;
}

/* Found by its own fields and with its message, it is told once. */
static void a_note_of_a_message_that_is_shown_is_told_once(void **state)
{
	struct fixture *f = *state;
	uint64_t id = fake_id(T0, 1), other = fake_id(T0 + HOUR, 2);
	char name[ID_TEXT], note[300];
	int n;

	accepted(f, id, T0, "bob@example.org", "ann@example.com", "");
	for (unsigned i = 0; i < 2; i++) {
		id_text(i == 0 ? id : other, name);
		n = snprintf(note, sizeof(note), "refused%c{\"id\":\"%s\","
		    "\"from\":\"bob@example.org\",\"to\":\"x@y.example\"}",
		    '\0', name);
		fake_note(&f->j, T0 + MINUTE, slice_of(note, (size_t)n));
	}
	run(f);
	/* The other one is of a message that is not there. */
	assert_int_equal(occurrences(trace(f, (struct search){
	    .from = "bob@example.org"}), "\"refused\""), 2);
	assert_int_equal(occurrences(trace(f, (struct search){
	    .from = "bob@example.org", .to = "x@y.example"}), "\"refused\""),
	    2);
}

/* The limit counts what fits: before the tenth message all were looked at. */
static void the_limit_is_of_what_is_shown(void **state)
{
	struct fixture *f = *state;
	struct result bad = reply(550, "5.1.1", "No", "");
	struct result good = reply(250, "2.0.0", "Ok", "");

	for (unsigned i = 0; i < 2500; i++) {
		uint64_t id = fake_id(T0 + i, i);

		accepted(f, id, T0 + i, "bob@example.org", "ann@example.com",
		    "");
		say(f, id, T0 + MINUTE, i < 3 ? &bad : &good, D_QUEUED,
		    i < 3 ? D_BOUNCED : D_DELIVERED, f->cloud);
	}
	run(f);
	trace(f, (struct search){
	    .from = "bob@example.org", .outcome = "bounced", .limit = 3});
	assert_int_equal(f->founds, 6);
	assert_false(f->more);
	trace(f, (struct search){
	    .from = "bob@example.org", .outcome = "bounced", .limit = 2});
	assert_int_equal(f->founds, 4);
	assert_true(f->more);
}

/* ---- format 1 ---------------------------------------------------------- */

static char *read_fixture(void)
{
	const char *top = getenv("srcdir");
	char path[4096], *text = mem_new(1 << 16);
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "%s/tests/data/audit-1.sql",
	    top == NULL ? "." : top);
	file = fopen(path, "re");
	assert_non_null(file);
	n = fread(text, 1, (1 << 16) - 1, file);
	assert_true(n > 1000 && n < (1 << 16) - 1);
	text[n] = '\0';
	fclose(file);
	return text;
}

static void make_format_1(const struct fixture *f)
{
	char path[128], *text = read_fixture();
	sqlite3 *db;

	mkdir(f->index, 0750);
	snprintf(path, sizeof(path), "%s/2026113003.db", f->index);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	mem_free(text);
}

static void format_1_is_found_in(struct fixture *f)
{
	static const struct {
		struct search q;
		unsigned events;
	} old[] = {
		{{.to = "ann@example.com"}, 4},
		{{.from = ""}, 2},
		{{.domain = "elsewhere.test"}, 2},
		{{.outcome = "delivered", .leg = "legacy"}, 4},
		{{.code = "250"}, 4},
		{{.code = "550"}, 0},
		{{.reply = "taken"}, 4},
		{{.subject = "anything"}, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(old); i++) {
		print_message("%zu\n", i);
		trace(f, old[i].q);
		assert_int_equal(f->founds, old[i].events);
	}
}

static void a_file_of_format_1_is_read_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct hourfile *h;
	struct error err;

	make_format_1(f);
	format_1_is_found_in(f);
	h = hourfile_open(f->index, hour_of(INT64_C(1796010256721818)),
	    HOUR_READ, &err);
	assert_non_null(h);
	assert_int_equal(hourfile_state(h)->format, 1);
	hourfile_close(h);
}

static void the_current_file_is_brought_up_when_it_is_written(void **state)
{
	struct fixture *f = *state;
	int64_t at = INT64_C(1796010256721818);
	struct envelope e = {.id = fake_id(at, 9), .accepted_us = at,
	    .client = "", .client_name = "", .listen = "", .helo = "",
	    .tls = "", .from = "new@example.org", .message_id = "",
	    .spf = "", .subject = "A new one"};
	struct hourfile *h;
	struct error err;

	make_format_1(f);
	h = hourfile_open(f->index, hour_of(at), HOUR_WRITE, &err);
	assert_non_null(h);
	assert_int_equal(hourfile_state(h)->format, HOUR_FORMAT);
	assert_int_equal(hourfile_put_message(h, &e), 0);
	assert_int_equal(
	    hourfile_commit(h, hourfile_state(h)->cursor, false, false), 0);
	hourfile_close(h);
	format_1_is_found_in(f);
	trace(f, (struct search){.subject = "new one"});
	assert_int_equal(f->founds, 1);
}

static void a_newer_format_is_refused_by_its_number(void **state)
{
	struct fixture *f = *state;
	char path[128];
	struct error err;
	sqlite3 *db;

	make_format_1(f);
	snprintf(path, sizeof(path), "%s/2026113003.db", f->index);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE state SET format = 99",
	    NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_null(hourfile_open(f->index,
	    hour_of(INT64_C(1796010256721818)), HOUR_READ, &err));
	assert_non_null(strstr(err.text, "format is 99"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_condition_finds_what_fits),
		TEST(a_note_of_a_message_that_is_shown_is_told_once),
		TEST(the_limit_is_of_what_is_shown),
		TEST(a_file_of_format_1_is_read_as_it_is),
		TEST(the_current_file_is_brought_up_when_it_is_written),
		TEST(a_newer_format_is_refused_by_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
