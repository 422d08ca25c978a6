/* SPDX-License-Identifier: ISC
 *
 * The projector over a made-up journal: what it writes, where it goes on
 * after it was killed anywhere, and what it does when its disk is full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/audit/conserve.h"
#include "relay/audit/note.h"
#include "relay/audit/search.h"
#include "relay/base/id.h"
#include "relay/base/log.h"
#include "relay/mail/actor.h"
#include "tests/unit/fakejournal.h"

/* 2026-11-22T05:12:17Z */
#define T0 INT64_C(1795324337000000)
#define MINUTE INT64_C(60000000)
#define HOUR (60 * MINUTE)

enum { STEPS_MAX = 2000, STEP_MS = 250, TEXT_MAX = 16 << 20 };

struct fixture {
	char dir[40], index[64], events[64];
	struct conf conf;
	struct names *names;
	uint16_t cloud;
	struct clock_fake clock;
	struct fakejournal j;
	struct projector *p;
	struct strbuf found; /* of trace(): an event a line */
	unsigned founds;
};

static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);

	snprintf(f->dir, sizeof(f->dir), "/tmp/test_audit.XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	snprintf(f->index, sizeof(f->index), "%s/index", f->dir);
	snprintf(f->events, sizeof(f->events), "%s/events.jsonl", f->dir);
	f->conf.node = 1;
	f->conf.audit.path = f->index;
	f->conf.audit.events = f->events;
	f->conf.audit.keep_ms = INT64_C(90) * 24 * 3600 * 1000;
	f->names = names_new();
	names_id(f->names, SLICE("legacy"));
	f->cloud = (uint16_t)names_id(f->names, SLICE("cloud"));
	clock_fake_init(&f->clock, T0);
	fakejournal_init(&f->j);
	strbuf_init(&f->found, TEXT_MAX);
	*state = f;
	return 0;
}

static void remove_dir(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[512];

	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	if (d != NULL)
		closedir(d);
	rmdir(dir);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	projector_close(f->p);
	fakejournal_fini(&f->j);
	names_free(f->names);
	strbuf_fini(&f->found);
	remove_dir(f->index);
	remove_dir(f->dir);
	mem_free(f);
	return 0;
}

/* ---- helpers ----------------------------------------------------------- */

static void open_projector(struct fixture *f)
{
	struct projector_input in = fakejournal_input(&f->j);
	struct error err;

	f->p = projector_open_on(
	    &f->conf, &in, f->names, &f->clock.clock, &err);
	if (f->p == NULL)
		print_message("%s\n", err.text);
	assert_non_null(f->p);
}

static void steps(struct fixture *f, int n)
{
	for (int i = 0; i < n; i++) {
		clock_fake_step(&f->clock, STEP_MS * 1000);
		projector_step(f->p, clock_mono_ms(&f->clock.clock));
	}
}

/* Until all that is visible is committed and sealed. */
static void run(struct fixture *f)
{
	open_projector(f);
	for (int i = 0; i < STEPS_MAX; i++) {
		steps(f, 1);
		if (f->j.at == f->j.visible && i > 20)
			break;
	}
	assert_int_equal(projector_flush(f->p), 0);
	projector_close(f->p);
	f->p = NULL;
}

static void on_found(void *arg, struct slice object)
{
	struct fixture *f = arg;

	strbuf_addsl(&f->found, object);
	strbuf_addc(&f->found, '\n');
	f->founds++;
}

static const char *trace(struct fixture *f, struct search q)
{
	struct error err = {.text = ""};
	bool more;

	strbuf_reset(&f->found);
	f->founds = 0;
	if (search_run(f->index, &q, on_found, f, &more, &err) != 0)
		fail_msg("%s", err.text);
	return strbuf_cstr(&f->found);
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

static char *read_events(struct fixture *f)
{
	struct strbuf b;
	char buf[4096];
	size_t n;
	FILE *in = fopen(f->events, "r");

	strbuf_init(&b, TEXT_MAX);
	while (in != NULL && (n = fread(buf, 1, sizeof(buf), in)) > 0)
		strbuf_add(&b, buf, n);
	if (in != NULL)
		fclose(in);
	strbuf_cstr(&b);
	return b.p != NULL ? b.p : mem_strdup("");
}

static unsigned count_events(struct fixture *f, const char *what)
{
	char *text = read_events(f);
	unsigned n = count(text, what);

	mem_free(text);
	return n;
}

static void on_lost(void *arg, uint64_t id, const char *to)
{
	(void)id;
	snprintf(arg, 64, "%s", to);
}

static void verify(struct fixture *f, struct conserve *out, char lost[64])
{
	struct error err;

	lost[0] = '\0';
	assert_int_equal(
	    conserve_run(f->index, f->names, on_lost, lost, out, &err), 0);
}

static const char *const ann[] = {"Ann@example.com", NULL};

static struct spool_delivery now(struct fixture *f, enum dstate state,
    unsigned attempts)
{
	return (struct spool_delivery){.leg = f->cloud, .role = ROLE_PRIMARY,
	    .state = (uint8_t)state, .attempts = (uint16_t)attempts,
	    .change = 7};
}

static void sent(struct fixture *f, uint64_t id, int64_t at, enum dstate old,
    enum dstate state, unsigned attempts)
{
	struct spool_delivery d = now(f, state, attempts);

	fake_attempt(&f->j, id, at, &d, old);
}

/* `n` messages, each accepted, deferred once and delivered. */
static void usual_mail(struct fixture *f, unsigned n, int64_t apart)
{
	for (unsigned i = 0; i < n; i++) {
		int64_t at = T0 + i * apart;
		uint64_t id = fake_id(at, i);

		fake_accepted(&f->j, id, at, "bob@example.org", ann, f->cloud);
		sent(f, id, at + 500000, D_QUEUED, D_DEFERRED, 1);
		sent(f, id, at + 1500000, D_DEFERRED, D_DELIVERED, 2);
	}
}

/* ---- what is written --------------------------------------------------- */

static void a_delivery_is_told_with_all_its_fields(void **state)
{
	static const char *const wanted[] = {
		"{\"time\":\"2026-11-22T05:12:17.000000Z\",\"node\":1,"
		"\"event\":\"accepted\",\"id\":\"",
		"\"client\":\"192.0.2.1\",\"name\":\"mx.example.org\","
		"\"listen\":\"old-mx\",\"helo\":\"mx.example.org\",\"tls\":\"\","
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
	j = note_begin(&w, &b, "refused");
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
	assert_int_equal(count_events(f, "\n"), 1);
}

/* ---- restarts ---------------------------------------------------------- */

static void die_at(void *arg, size_t at)
{
	if (at == *(size_t *)arg)
		_exit(0);
}

static void die(void *arg)
{
	if ((*(size_t *)arg)-- == 0)
		_exit(0);
}

/* A process that is gone without a word, at a place the test chose. */
static void run_and_die(struct fixture *f)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		open_projector(f);
		for (size_t n = f->j.n, v = 0; v <= n; v++) {
			f->j.visible = v;
			steps(f, v % 3 == 0 ? 1 : 0);
			clock_fake_step(&f->clock, v % 2 * 10000);
			projector_step(
			    f->p, clock_mono_ms(&f->clock.clock));
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void assert_all_once(struct fixture *f, unsigned messages,
    int64_t apart)
{
	struct conserve c;
	char lost[64];

	for (unsigned i = 0; i < messages; i++) {
		const char *text = trace(f,
		    (struct search){.id = fake_id(T0 + i * apart, i)});

		assert_int_equal(count(text, "\"event\":\"accepted\""), 1);
		assert_int_equal(count(text, "\"event\":\"deferred\""), 1);
		assert_int_equal(count(text, "\"event\":\"delivered\""), 1);
		assert_int_equal(f->founds, 3);
	}
	verify(f, &c, lost);
	assert_int_equal(c.leg[f->cloud].total[T_CREATED], messages);
	assert_int_equal(c.leg[f->cloud].total[T_DELIVERED], messages);
	assert_int_equal(c.leg[f->cloud].gap, 0);
	assert_int_equal(c.lost, 0);
}

/* Every line stands there at least once, whole. */
static void assert_lines(struct fixture *f, unsigned messages)
{
	char *text = read_events(f);
	struct slice rest = slice_str(text), line;
	unsigned seen[3] = {0};
	json_t *pos = json_object();

	while (slice_next(&rest, '\n', &line) && line.n > 0) {
		json_t *o = json_loadb(line.p, line.n, 0, NULL);
		const char *at = json_string_value(json_object_get(o, "pos"));
		const char *ev = json_string_value(json_object_get(o, "event"));

		assert_non_null(at);
		if (json_object_get(pos, at) == NULL)
			seen[ev[0] == 'a' ? 0 : ev[2] == 'f' ? 1 : 2]++;
		json_object_set_new(pos, at, json_true());
		json_decref(o);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(seen[i], messages);
	json_decref(pos);
	mem_free(text);
}

static void killed_anywhere_no_row_is_lost_or_doubled(void **state)
{
	enum { MESSAGES = 5, APART = 25 };
	struct fixture *f = *state;

	usual_mail(f, MESSAGES, APART * MINUTE);
	for (size_t at = 0; at <= f->j.n; at++) {
		f->j.at_next = die_at;
		f->j.arg = &at;
		run_and_die(f);
		f->j.at_next = NULL;
		f->j.visible = f->j.n;
		run(f);
		assert_all_once(f, MESSAGES, APART * MINUTE);
		assert_lines(f, MESSAGES);
		remove_dir(f->index);
		unlink(f->events);
	}
}

static void killed_after_any_commit_no_row_is_lost_or_doubled(void **state)
{
	enum { MESSAGES = 5, APART = 25 };
	struct fixture *f = *state;

	usual_mail(f, MESSAGES, APART * MINUTE);
	for (size_t nth = 0; nth < 12; nth++) {
		size_t left = nth;

		f->j.at_done = die;
		f->j.arg = &left;
		run_and_die(f);
		f->j.at_done = NULL;
		f->j.visible = f->j.n;
		run(f);
		assert_all_once(f, MESSAGES, APART * MINUTE);
		assert_lines(f, MESSAGES);
		remove_dir(f->index);
		unlink(f->events);
	}
}

/* Again and again, never to an end of its own. */
static void a_chain_of_kills_ends_with_everything_once(void **state)
{
	enum { MESSAGES = 12, APART = 11 };
	struct fixture *f = *state;

	usual_mail(f, MESSAGES, APART * MINUTE);
	for (size_t at = 3; at < f->j.n; at += 4) {
		f->j.at_next = die_at;
		f->j.arg = &at;
		run_and_die(f);
	}
	f->j.at_next = NULL;
	f->j.visible = f->j.n;
	run(f);
	assert_all_once(f, MESSAGES, APART * MINUTE);
	assert_lines(f, MESSAGES);
}

static void a_torn_last_line_is_cut_and_written_whole(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	usual_mail(f, 2, MINUTE);
	run(f);
	assert_int_equal(stat(f->events, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(truncate(f->events, st.st_size - 10), 0);
	remove_dir(f->index); /* so that all is read again */
	run(f);
	assert_lines(f, 2);
	assert_all_once(f, 2, MINUTE);
}

static void a_damaged_newest_file_is_set_aside(void **state)
{
	struct fixture *f = *state;
	char path[128];
	FILE *out;

	usual_mail(f, 3, HOUR);
	run(f);
	snprintf(path, sizeof(path), "%s/2026112207.db", f->index);
	out = fopen(path, "w");
	assert_non_null(out);
	for (int i = 0; i < 8192; i++)
		fputc('x', out);
	fclose(out);
	run(f);
	assert_all_once(f, 3, HOUR);
	snprintf(path, sizeof(path), "%s/2026112207.db.damaged", f->index);
	assert_int_equal(access(path, F_OK), 0);
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
	projector_close(f->p);
	f->p = NULL;
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
	projector_close(f->p);
	f->p = NULL;
	text = trace(f, (struct search){.since_us = 0});
	assert_int_equal(count(text, "\"event\":\"audit.gap\""), 1);
	assert_non_null(strstr(text, "\"records\":180}"));
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
	projector_close(f->p);
	f->p = NULL;
	assert_int_equal(count_events(f, "\n"), 1);
	assert_int_equal(count_events(f, "\"event\":\"accepted\""), 1);
	run(f); /* and a restart writes nothing again that was written */
	assert_int_equal(count_events(f, "\n"), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_delivery_is_told_with_all_its_fields),
		T(each_move_has_its_event),
		T(a_notification_is_told_with_what_it_is_about),
		T(notes_are_events_and_garbage_is_none),
		T(killed_anywhere_no_row_is_lost_or_doubled),
		T(killed_after_any_commit_no_row_is_lost_or_doubled),
		T(a_chain_of_kills_ends_with_everything_once),
		T(a_torn_last_line_is_cut_and_written_whole),
		T(a_damaged_newest_file_is_set_aside),
		T(a_full_disk_holds_the_journal_and_then_takes_all_in),
		T(mail_does_not_wait_for_a_full_audit_disk),
		T(what_was_recycled_unread_is_a_gap_that_carries_heal),
		T(a_renamed_file_of_events_is_opened_anew),
	};

	log_setup(-1, LOG_LV_ERROR, &clock_system);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
