/* SPDX-License-Identifier: ISC
 *
 * Alarms: an event in the audit trail and the log, always; a message and a
 * program when it is their time. Any thread; one lock for the memory of what
 * was told when, which is bounded: the oldest is forgotten first.
 */
#include "relay/watch/alarm.h"

#include <stdio.h>

#include "relay/audit/note.h"
#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/base/utf8.h"
#include "relay/delivery/own_mail.h"
#include "relay/spawn/spawner.h"
#include "relay/daemon/worker.h"

enum {
	REMEMBERED = 256,
	AT_ONCE = 5, /* of one kind in an interval, about different things */
	KINDS = 32,  /* there are fewer */
	ABOUT_BYTES = 300,
	TEXT_BYTES = 1000,
};

struct memory {
	uint64_t hash; /* of kind and subject; 0: free */
	int64_t at_ms;
	unsigned unsaid;
};

struct alarms {
	pthread_mutex_t lock;
	struct spawner *exec;
	bool mail;
	int64_t interval_ms;
	struct memory told[REMEMBERED];
	int64_t window_ms; /* since when `share` counts */
	/* A share for each kind: strangers can raise some kinds for as many
	 * addresses as they like, and a leg that stops must be heard. */
	struct {
		uint64_t kind; /* hash; 0: free */
		unsigned sent;
	} share[KINDS];
	unsigned unsaid;
};

/* One that goes out: a copy that a worker frees. */
struct alarm_mail {
	struct worker *w;
	char *kind, *about, *text;
	unsigned unsaid, others;
};

struct alarms *alarms_new(const struct conf *c, struct spawner *exec)
{
	struct alarms *s = NEW(struct alarms);

	pthread_mutex_init(&s->lock, NULL);
	s->exec = exec;
	s->window_ms = INT64_MIN;
	for (unsigned i = 0; i < REMEMBERED; i++)
		s->told[i].at_ms = INT64_MIN;
	alarms_configure(s, c);
	return s;
}

void alarms_configure(struct alarms *s, const struct conf *c)
{
	pthread_mutex_lock(&s->lock);
	s->mail = c->alarm.mail[0] != '\0';
	s->interval_ms = c->alarm.interval_ms;
	pthread_mutex_unlock(&s->lock);
}

void alarms_free(struct alarms *s)
{
	if (s == NULL)
		return;
	pthread_mutex_destroy(&s->lock);
	mem_free(s);
}

/* ---- whether it is told ---- */

/* The place of that alarm, or of the one told longest ago. */
static struct memory *place_of(struct alarms *s, uint64_t hash)
{
	struct memory *oldest = &s->told[0];

	for (unsigned i = 0; i < REMEMBERED; i++) {
		struct memory *t = &s->told[i];

		if (t->hash == hash)
			return t;
		if (t->at_ms < oldest->at_ms)
			oldest = t;
	}
	s->unsaid += oldest->unsaid;
	*oldest = (struct memory){.hash = hash, .at_ms = INT64_MIN};
	return oldest;
}

/* How many of that kind went out in this window; kinds past the table share
 * the last place. */
static unsigned *sent_of(struct alarms *s, const char *kind, int64_t now_ms)
{
	uint64_t hash = hash_slice(slice_str(kind)) | 1;
	unsigned i = 0;

	if (s->window_ms == INT64_MIN ||
	    now_ms - s->window_ms >= s->interval_ms) {
		s->window_ms = now_ms;
		memset(s->share, 0, sizeof(s->share));
	}
	while (i < KINDS - 1 && s->share[i].kind != 0 &&
	    s->share[i].kind != hash)
		i++;
	s->share[i].kind = hash;
	return &s->share[i].sent;
}

/* Is it time to tell of it again? How often it, and others, were not told. */
static bool is_due(struct alarms *s, uint64_t hash, int64_t now_ms,
    struct alarm_mail *m)
{
	struct memory *t = place_of(s, hash);
	unsigned *sent = sent_of(s, m->kind, now_ms);
	bool fresh = t->at_ms == INT64_MIN;

	if (!fresh && now_ms - t->at_ms < s->interval_ms) {
		t->unsaid++;
		return false;
	}
	if (*sent >= AT_ONCE) {
		s->unsaid++;
		if (fresh)
			t->hash = 0; /* free again: its time stays the oldest */
		return false;
	}
	m->unsaid = t->unsaid;
	m->others = s->unsaid;
	*t = (struct memory){hash, now_ms, 0};
	s->unsaid = 0;
	(*sent)++;
	return true;
}

/* ---- the program ---- */

static void print_json(struct app *a, const struct alarm_mail *m,
    struct strbuf *out)
{
	struct jout j;

	jout_init(&j, out);
	jout_object(&j, NULL);
	jout_time(&j, "time", clock_wall_us(a->clock));
	jout_int(&j, "node", (int64_t)a->ids.node);
	jout_str(&j, "kind", m->kind);
	jout_str(&j, "about", m->about);
	jout_str(&j, "text", m->text);
	jout_int(&j, "unsaid", m->unsaid);
	jout_int(&j, "others_unsaid", m->others);
	jout_object_end(&j);
	strbuf_addc(out, '\n');
}

static void run_program(struct app *a, const struct alarm_mail *m)
{
	struct strbuf json;

	strbuf_init(&json, SPAWNER_INPUT_MAX);
	print_json(a, m, &json);
	if (!strbuf_ok(&json) ||
	    !spawner_run(a->alarms->exec, m->kind, strbuf_view(&json)))
		log_error("alarm.not_run", kv_str("kind", m->kind),
		    kv_str("about", m->about),
		    kv_str("why", strbuf_ok(&json)
			? "too many wait, or the spawner is gone"
			: "it is too long"));
	strbuf_fini(&json);
}

/* ---- the message ---- */

/* In a header field: printable ASCII alone. */
static void add_plain(struct strbuf *out, const char *text)
{
	for (; *text != '\0'; text++)
		strbuf_addc(out, *text >= 0x20 && *text < 0x7f ? *text : '?');
}

static void add_line(struct strbuf *out, const char *text)
{
	utf8_show(slice_str(text), out);
	strbuf_adds(out, "\r\n");
}

static void print_header(const struct alarm_mail *m, const char *id,
    struct strbuf *out)
{
	const struct conf *c = m->w->live->conf;
	char date[CLOCK_RFC5322_MAX];

	clock_rfc5322(clock_wall_us(m->w->app->clock), date);
	strbuf_addf(out, "From: Posthouse <%s>\r\nTo: <%s>\r\nSubject: ",
	    c->postmaster, c->alarm.mail);
	strbuf_addf(out, "[%s] %s: ", c->hostname, m->kind);
	add_plain(out, m->about);
	strbuf_addf(out, "\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n"
	    "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n", date, id, c->hostname);
}

static void print_message(const void *arg, const char *id, struct strbuf *out)
{
	const struct alarm_mail *m = arg;

	print_header(m, id, out);
	add_line(out, m->text);
	strbuf_addf(out, "\r\nKind:  %s\r\nAbout: ", m->kind);
	add_line(out, m->about);
	strbuf_addf(out, "Host:  %s\r\n", m->w->live->conf->hostname);
	if (m->unsaid != 0)
		strbuf_addf(out, "\r\nThe same came %u time%s since it was "
		    "told last.\r\n", m->unsaid, m->unsaid == 1 ? "" : "s");
	if (m->others != 0)
		strbuf_addf(out, "\r\n%u other alarm%s had to be left out; "
		    "they are in the audit trail.\r\n", m->others,
		    m->others == 1 ? "" : "s");
}

/* On the worker's loop. */
static void send_mail(void *arg)
{
	struct alarm_mail *m = arg;
	const char *to = m->w->live->conf->alarm.mail;

	if (to[0] != '\0' && !atomic_load(&m->w->app->stopping))
		ours_send(m->w, "an alarm", to, print_message, m);
	mem_free(m->kind);
	mem_free(m->about);
	mem_free(m->text);
	mem_free(m);
}

static void post_mail(struct app *a, const struct alarm_mail *m)
{
	struct alarm_mail *copy = NEW(struct alarm_mail);

	*copy = (struct alarm_mail){.w = a->worker[0],
	    .kind = mem_strdup(m->kind), .about = mem_strdup(m->about),
	    .text = mem_strdup(m->text), .unsaid = m->unsaid,
	    .others = m->others};
	call_post(&copy->w->box, W_CALL, send_mail, copy);
}

/* ---- the door ---- */

static void write_event(struct app *a, const char *kind, const char *about,
    const char *text)
{
	struct spool_op *op = spool_op_new();
	struct note_writer w;
	struct strbuf note;
	struct jout *j;

	strbuf_init(&note, 16384);
	j = note_begin(&w, &note, "alarm");
	jout_str(j, "kind", kind);
	jout_str(j, "about", about);
	jout_str(j, "text", text);
	note_end(&w);
	spool_op_note(op, NOTE_LEG, clock_wall_us(a->clock),
	    strbuf_view(&note));
	strbuf_fini(&note);
	spool_post(a->spool, op);
}

static uint64_t hash_of(const char *kind, const char *about)
{
	return (hash_slice(slice_str(kind)) * 31 +
		   hash_slice(slice_str(about))) | 1;
}

void alarm_raise(struct app *a, const char *kind, const char *about,
    const char *text)
{
	char about_cut[ABOUT_BYTES], text_cut[TEXT_BYTES];
	struct alarm_mail m = {.kind = (char *)kind, .about = about_cut,
	    .text = text_cut};
	struct alarms *s = a->alarms;
	bool due, mail;

	snprintf(about_cut, sizeof(about_cut), "%s", about);
	snprintf(text_cut, sizeof(text_cut), "%s", text);
	log_warn("alarm", kv_str("kind", kind), kv_str("about", about_cut),
	    kv_str("text", text_cut));
	write_event(a, kind, about_cut, text_cut);
	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	due = is_due(s, hash_of(kind, about_cut), clock_mono_ms(a->clock), &m);
	mail = s->mail;
	pthread_mutex_unlock(&s->lock);
	if (due && s->exec != NULL)
		run_program(a, &m);
	if (due && mail && a->worker != NULL)
		post_mail(a, &m);
}
