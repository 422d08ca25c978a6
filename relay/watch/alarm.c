/* SPDX-License-Identifier: ISC
 *
 * Alarms: an event in the audit trail and the log, always; a message and a
 * program when it is their time. Any thread; one lock for the memory of what
 * was told when, which is bounded: the oldest is forgotten first.
 */
#include "relay/watch/alarm.h"

#include <pthread.h>
#include <stdio.h>

#include "relay/audit/note_post.h"
#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/base/jout.h"
#include "relay/spawn/spawner.h"

enum {
	REMEMBERED = 256,
	AT_ONCE = 5, /* of one kind in an interval, about different things */
	ABOUT_BYTES = 300,
	TEXT_BYTES = 1000,
};

struct memory {
	uint64_t hash; /* of kind and subject; 0: free */
	int64_t at_ms;
	unsigned unsaid;
};

struct alarms {
	struct alarm_config c; /* without its conf */
	pthread_mutex_t lock;
	bool mail;
	int64_t interval_ms;
	struct memory told[REMEMBERED];
	int64_t window_ms; /* since when `sent` counts */
	/* A share for each kind: strangers can raise some kinds for as many
	 * addresses as they like, and a leg that stops must be heard. */
	unsigned sent[ALARMS];
	unsigned unsaid;
};

struct alarms *alarms_new(const struct alarm_config *c)
{
	struct alarms *s = NEW(struct alarms);

	pthread_mutex_init(&s->lock, NULL);
	s->c = *c;
	s->c.conf = NULL;
	s->window_ms = INT64_MIN;
	for (unsigned i = 0; i < REMEMBERED; i++)
		s->told[i].at_ms = INT64_MIN;
	alarms_configure(s, c->conf);
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

/* How many of that kind went out in this window. */
static unsigned *sent_of(struct alarms *s, enum alarm_kind kind,
    int64_t now_ms)
{
	if (s->window_ms == INT64_MIN ||
	    now_ms - s->window_ms >= s->interval_ms) {
		s->window_ms = now_ms;
		memset(s->sent, 0, sizeof(s->sent));
	}
	return &s->sent[kind];
}

static uint64_t hash_of(const struct alarm_told *m)
{
	return (hash_slice(slice_str(m->kind)) * 31 +
		   hash_slice(slice_str(m->about))) | 1;
}

/* Is it time to tell of it again? How often it, and others, were not told. */
static bool is_due(struct alarms *s, enum alarm_kind kind, int64_t now_ms,
    struct alarm_told *m)
{
	uint64_t hash = hash_of(m);
	struct memory *t = place_of(s, hash);
	unsigned *sent = sent_of(s, kind, now_ms);
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

static void print_json(const struct shared *sh, const struct alarm_told *m,
    struct strbuf *out)
{
	struct jout j;

	jout_init(&j, out);
	jout_object(&j, NULL);
	jout_time(&j, "time", clock_wall_us(sh->clock));
	jout_int(&j, "node", (int64_t)sh->ids.node);
	jout_str(&j, "kind", m->kind);
	jout_str(&j, "about", m->about);
	jout_str(&j, "text", m->text);
	jout_int(&j, "unsaid", m->unsaid);
	jout_int(&j, "others_unsaid", m->others);
	jout_object_end(&j);
	strbuf_addc(out, '\n');
}

static void run_program(struct alarms *s, const struct alarm_told *m)
{
	struct strbuf json;

	strbuf_init(&json, SPAWNER_INPUT_MAX);
	print_json(s->c.shared, m, &json);
	if (!strbuf_ok(&json) ||
	    !spawner_run(s->c.exec, SPAWN_ALARM, m->kind,
		strbuf_view(&json)))
		log_error("alarm.not_run", kv_str("kind", m->kind),
		    kv_str("about", m->about),
		    kv_str("why", strbuf_ok(&json)
			? "too many wait, or the spawner is gone"
			: "it is too long"));
	strbuf_fini(&json);
}

/* ---- the door ---- */

static void write_event(const struct shared *sh, const struct alarm_told *m)
{
	struct note_draft n;
	struct jout *j = note_open(&n, EVENT_ALARM);

	jout_str(j, "kind", m->kind);
	jout_str(j, "about", m->about);
	jout_str(j, "text", m->text);
	note_post(&n, sh->spool, NOTE_LEG, clock_wall_us(sh->clock));
}

void alarm_raise(struct alarms *s, enum alarm_kind kind, const char *about,
    const char *text)
{
	char about_cut[ABOUT_BYTES], text_cut[TEXT_BYTES];
	struct alarm_told m = {.kind = alarm_table[kind].kind,
	    .about = about_cut, .text = text_cut};
	const struct shared *sh = s->c.shared;
	bool due, mail;

	snprintf(about_cut, sizeof(about_cut), "%s", about);
	snprintf(text_cut, sizeof(text_cut), "%s", text);
	log_warn("alarm", kv_str("kind", m.kind), kv_str("about", about_cut),
	    kv_str("text", text_cut));
	write_event(sh, &m);
	pthread_mutex_lock(&s->lock);
	due = is_due(s, kind, clock_mono_ms(sh->clock), &m);
	mail = s->mail;
	pthread_mutex_unlock(&s->lock);
	if (due && spawner_has(s->c.exec, SPAWN_ALARM))
		run_program(s, &m);
	if (due && mail && s->c.mail != NULL)
		s->c.mail(s->c.arg, &m);
}
