/* SPDX-License-Identifier: ISC
 *
 * Opens the spool, and tells what was found wrong with it.
 */
#include "relay/daemon/recovery.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "relay/audit/note_post.h"
#include "relay/audit/projector.h"
#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "conf/conf.h"
#include "relay/watch/alarm.h"
#include "relay/settle/queue_thread.h"
#include "relay/spool/start/spool_open.h"

/* A journal below 256 MiB is read as quickly as a checkpoint is. */
enum { CHECKPOINT_SEGMENTS = 4 };
enum {
	UNREAD_MAX = 64,
	LINE_BYTES = 300,
	TEXT_BYTES = 700,
	ALARM_BYTES = 1600,
};

struct recovery {
	struct shared *shared;
	struct queue_thread *queue_thread;
	struct alarms *alarms;
	struct spool_start start;
	char first[LINE_BYTES]; /* of the damage */
	char missing[TEXT_BYTES]; /* generations: "3, 7-9"; or "" */
	const struct projector_era *era;
	pthread_mutex_t lock;
	/* Messages that an alarm named already; the oldest is replaced. */
	uint64_t unread[UNREAD_MAX];
	unsigned unreads;
	char why[UNREAD_MAX][LINE_BYTES]; /* those of the start */
};

struct recovery *recovery_new(struct shared *sh, struct queue_thread *q,
    struct alarms *alarms)
{
	struct recovery *r = NEW(struct recovery);

	r->shared = sh;
	r->queue_thread = q;
	r->alarms = alarms;
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

void recovery_free(struct recovery *r)
{
	if (r == NULL)
		return;
	pthread_mutex_destroy(&r->lock);
	mem_free(r);
}

/* ---- the start ---- */

static void on_key(void *arg, const uint64_t key[2])
{
	(void)arg;
	hash_stored_setup(key);
}

static void on_expect(void *arg, uint64_t messages)
{
	struct recovery *r = arg;

	queue_expect(queue_thread_queue(r->queue_thread), messages);
}

static void on_message(void *arg, const struct spool_told *m)
{
	struct recovery *r = arg;

	queue_thread_recovered(r->queue_thread, m);
}

/* No mail is concerned; but the disk gave back other bytes than it got. */
static void on_spoilt(void *arg, const char *line)
{
	(void)arg;
	log_warn("spool.spoilt", kv_str("what", line), kv_str("effect",
	    "nothing is lost; look at the disk"));
}

static void on_damage(void *arg, const char *line)
{
	struct recovery *r = arg;

	log_error("spool.damage", kv_str("what", line));
	if (r->first[0] == '\0')
		snprintf(r->first, sizeof(r->first), "%s", line);
}

static void on_unread(void *arg, uint64_t id, const char *line)
{
	struct recovery *r = arg;

	log_error("spool.unread", kv_id("id", id), kv_str("why", line));
	if (r->unreads == UNREAD_MAX)
		return;
	r->unread[r->unreads] = id;
	snprintf(r->why[r->unreads++], LINE_BYTES, "%s", line);
}

static void raise_unread(struct alarms *a, uint64_t id, const char *why)
{
	char text[TEXT_BYTES], name[ID_TEXT];

	id_text(id, name);
	snprintf(text, sizeof(text), "Message %s cannot be read from the "
	    "spool (%s). It is kept, and goes out as soon as it can be read. "
	    "Look at the disk.", name, why);
	alarm_raise(a, ALARM_MESSAGE_UNREADABLE, name, text);
}

static bool is_news(struct recovery *r, uint64_t id)
{
	bool known = false;

	pthread_mutex_lock(&r->lock);
	for (unsigned i = 0; i < UNREAD_MAX && !known; i++)
		known = r->unread[i] == id;
	if (!known)
		r->unread[r->unreads++ % UNREAD_MAX] = id;
	pthread_mutex_unlock(&r->lock);
	return !known;
}

/* While it runs; the alarm the first time. */
static void on_unread_later(void *arg, uint64_t id, const char *why)
{
	struct recovery *r = arg;

	log_error("spool.unread", kv_id("id", id), kv_str("why", why));
	if (!atomic_load(&r->shared->stopping) && is_news(r, id))
		raise_unread(r->alarms, id, why);
}

static void log_open(const struct recovery *r, const char *path)
{
	const struct spool_start *s = &r->start;

	log_info("spool.open", kv_str("path", path),
	    kv_int("messages", (int64_t)s->messages),
	    kv_int("segments", (int64_t)s->segments),
	    kv_int("damaged", (int64_t)s->damaged),
	    kv_int("lost", (int64_t)s->lost),
	    kv_int("unread", (int64_t)s->unread),
	    kv_str("end", s->clean ? "clean" : "unclean"));
}

/* Runs of generations, as far as there is room. */
static void list_missing(struct recovery *r)
{
	const struct spool_start *s = &r->start;
	struct strbuf text;

	strbuf_init(&text, sizeof(r->missing) - 1);
	for (unsigned i = 0, last; i < s->gones; i = last + 1) {
		for (last = i; last + 1 < s->gones &&
		     s->gone[last + 1] == s->gone[last] + 1; last++)
			continue;
		strbuf_addf(&text, "%s%" PRIu64, i > 0 ? ", " : "",
		    s->gone[i]);
		if (last > i)
			strbuf_addf(&text, "-%" PRIu64, s->gone[last]);
	}
	if (s->more_gone)
		strbuf_adds(&text, " and more");
	snprintf(r->missing, sizeof(r->missing), "%s", strbuf_cstr(&text));
	strbuf_fini(&text);
}

int recovery_open(struct recovery *r, const struct conf *c, struct error *err)
{
	struct shared *sh = r->shared;
	struct spool_config sc = {.path = c->spool.path,
	    .segment_bytes = c->spool.segment_bytes,
	    .max_bytes = c->spool.max_bytes,
	    .body_memory_bytes = c->limits.body_memory_bytes,
	    .memory_window_bytes = c->limits.memory_window_bytes,
	    .spares = c->spool.spares,
	    .checkpoint_segments = CHECKPOINT_SEGMENTS, .wipe = c->spool.wipe,
	    .retain_us = c->spool.retain_ms * 1000, .clock = sh->clock,
	    .rng = sh->rng, .io = &diskio_system, .names = sh->names,
	    .projector = true, .known = projector_cursor(c->audit.path),
	    .unread = on_unread_later, .unread_arg = r};
	struct spool_recovered told = {.arg = r, .key = on_key,
	    .expect = on_expect,
	    .message = on_message, .damage = on_damage,
	    .spoilt = on_spoilt,
	    .unread = on_unread};

	sh->spool = spool_open(&sc, &told, &r->start, err);
	if (sh->spool == NULL)
		return -1;
	id_maker_above(&sh->ids, r->start.highest_id);
	if (r->start.stopped_us != 0)
		queue_stopped(queue_thread_queue(r->queue_thread),
		    r->start.stopped_us);
	list_missing(r);
	log_open(r, c->spool.path);
	return 0;
}

/* ---- what is told of it ---- */

static void write_event(struct recovery *r, const char *state,
    const char *reason)
{
	struct note_draft n;
	struct jout *j = note_open(&n, EVENT_SPOOL);

	jout_str(j, "state", state);
	jout_int(j, "generations", (int64_t)r->start.lost);
	jout_str(j, "missing", r->missing);
	jout_str(j, "reason", reason);
	note_post(&n, r->shared->spool, NOTE_SYSTEM,
	    clock_wall_us(r->shared->clock));
}

static void tell_damage(struct recovery *r, const struct conf *c)
{
	char text[ALARM_BYTES];

	snprintf(text, sizeof(text), "The spool is damaged in %u place%s; the "
	    "first: %s. The log names all%s%s. What could be read is served; "
	    "posthouse audit verify --lost names the messages that were lost.",
	    (unsigned)r->start.damaged, r->start.damaged == 1 ? "" : "s",
	    r->first, r->missing[0] == '\0' ? "" :
	    ". Generations that are not whole: ", r->missing);
	alarm_raise(r->alarms, ALARM_SPOOL_DAMAGED, c->spool.path, text);
	write_event(r, "degraded", r->first);
}

/* Mail that waited in the spool before it is not in this one, or may be not. */
static bool lost_by_replacing(const struct recovery *r)
{
	return r->era != NULL && r->era->replaced && r->era->open > 0;
}

static void alarm_replaced(struct recovery *r, const struct conf *c)
{
	char text[ALARM_BYTES];

	if (!lost_by_replacing(r) || r->start.damaged > 0)
		return;
	snprintf(text, sizeof(text), "The spool is not the one that was in "
	    "use before, or an older copy of it: %s. %" PRIu64 " deliver%s "
	    "open then. posthouse audit verify --lost names the messages that "
	    "are not there any more.", r->era->why, r->era->open,
	    r->era->open == 1 ? "y was" : "ies were");
	alarm_raise(r->alarms, ALARM_SPOOL_DAMAGED, c->spool.path, text);
}

static void tell_restored(struct recovery *r)
{
	log_warn("spool.restored", kv_str("effect", "all mail that was open is "
	    "frozen"), kv_str("then", "posthouse restore accept"));
	write_event(r, "restored", "the spool was restored from a backup; all "
	    "mail that was open in it is frozen");
}

void recovery_era(struct recovery *r, const struct projector *p)
{
	r->era = p == NULL ? NULL : projector_era(p);
}

void recovery_tell(struct recovery *r, const struct conf *c)
{
	if (r->start.restored)
		tell_restored(r);
	if (r->start.damaged > 0)
		tell_damage(r, c);
	/* Last: once this event is in the index, no start tells of it again. */
	if (r->era != NULL && r->era->replaced) {
		alarm_replaced(r, c);
		write_event(r, "replaced", r->era->why);
	}
	/* Those beyond are in the log; each is named when it is tried. */
	for (unsigned i = 0; i < r->unreads; i++)
		raise_unread(r->alarms, r->unread[i], r->why[i]);
}

const char *recovery_degraded(const struct recovery *r)
{
	if (r->start.damaged > 0 || r->start.unread > 0)
		return "degraded: damage was found at the start, see the log";
	return lost_by_replacing(r) ? "degraded: the spool was replaced while "
	    "mail waited in it" : NULL;
}

const char *recovery_missing(const struct recovery *r)
{
	return r->missing;
}
