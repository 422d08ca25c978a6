/* SPDX-License-Identifier: ISC
 *
 * One hour of the audit index: reading. Rows are input: lengths are SQLite's,
 * numbers are checked where they choose a text.
 */
#include <stdatomic.h>

#include "relay/audit/hourfile_int.h"
#include "relay/base/mem.h"

static const char *text_at(sqlite3_stmt *s, int col)
{
	const unsigned char *t = sqlite3_column_text(s, col);

	return t == NULL ? "" : (const char *)t;
}

static sqlite3_stmt *stmt_for(struct hourfile *f, enum hour_sql which,
    int64_t key)
{
	sqlite3_stmt *s = hourfile_stmt(f, which);

	if (s != NULL && sqlite3_bind_parameter_count(s) > 0)
		sqlite3_bind_int64(s, 1, key);
	return s;
}

enum { STEPS = 10000 }; /* of SQLite's virtual machine, about a millisecond */

static int is_stopped(void *stop)
{
	return atomic_load((const _Atomic bool *)stop);
}

void hourfile_stop_when(struct hourfile *f, const _Atomic bool *stop)
{
	if (stop != NULL)
		sqlite3_progress_handler(f->db, STEPS, is_stopped,
		    (void *)stop);
}

/* The end of a walk: nothing is held open. */
static int ended(sqlite3_stmt *s, int rc, int rows)
{
	sqlite3_reset(s);
	return rc == SQLITE_DONE || rc == SQLITE_OK ? rows : -1;
}

/* Of most messages there is none, and of a file of before its table none at
 * all. */
static void read_origin(struct hourfile *f, struct arena *a,
    struct envelope *env)
{
	sqlite3_stmt *s = stmt_for(f, SQL_ORIGIN, (int64_t)env->id);

	env->came_from = "";
	if (s == NULL)
		return;
	if (sqlite3_step(s) == SQLITE_ROW) {
		env->came_from = arena_strdup(a, text_at(s, 0));
		env->parent = (uint64_t)sqlite3_column_int64(s, 1);
	}
	sqlite3_reset(s);
}

/* Of a file of before its table, nothing. */
static void read_stripped(struct hourfile *f, struct arena *a,
    struct envelope *env)
{
	sqlite3_stmt *s = stmt_for(f, SQL_STRIPPED, (int64_t)env->id);

	env->stripped = "";
	if (s == NULL)
		return;
	if (sqlite3_step(s) == SQLITE_ROW)
		env->stripped = arena_strdup(a, text_at(s, 0));
	sqlite3_reset(s);
}

/* The result is a word; the term and the domain that led to it stand behind
 * it. */
static void split_spf(struct arena *a, struct envelope *env)
{
	struct slice rest = slice_str(env->spf), word;

	env->spf_by = "";
	if (!slice_next(&rest, ' ', &word) || rest.n == 0)
		return;
	env->spf_by = arena_slicedup(a, rest);
	env->spf = arena_slicedup(a, word);
}

int hourfile_message(struct hourfile *f, uint64_t id, struct arena *a,
    struct envelope *env_out)
{
	sqlite3_stmt *s = stmt_for(f, SQL_MESSAGE, (int64_t)id);
	const char *text[13];
	int rc;

	if (s == NULL)
		return -1;
	rc = sqlite3_step(s);
	if (rc != SQLITE_ROW)
		return ended(s, rc, 0);
	for (int i = 0; i < 13; i++)
		text[i] = arena_strdup(a, text_at(s, i));
	*env_out = (struct envelope){
		.id = id,
		.accepted_us = sqlite3_column_int64(s, 1),
		.client = text[2],
		.client_name = text[3],
		.listen = text[4],
		.helo = text[5],
		.tls = text[6],
		.from = text[7],
		.message_id = text[8],
		.size = (uint64_t)sqlite3_column_int64(s, 9),
		.rcpts = (unsigned)sqlite3_column_int(s, 10),
		.spf = text[11],
		.subject = text[12],
		.envid = "",
	};
	read_origin(f, a, env_out);
	read_stripped(f, a, env_out);
	split_spf(a, env_out);
	return ended(s, SQLITE_DONE, 1);
}

int hourfile_recipients(struct hourfile *f, uint64_t id,
    void (*fn)(void *arg, const struct hour_recipient *r), void *arg)
{
	sqlite3_stmt *s = stmt_for(f,
	    id == 0 ? SQL_ALL_RECIPIENTS : SQL_RECIPIENTS, (int64_t)id);
	int rc, rows = 0;

	if (s == NULL)
		return -1;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct hour_recipient r = {
			.id = (uint64_t)sqlite3_column_int64(s, 0),
			.rcpt = (uint32_t)sqlite3_column_int64(s, 1),
			.address = text_at(s, 2),
			.legs = text_at(s, 3),
			.era = sqlite3_column_type(s, 4) == SQLITE_NULL
				   ? -1 : sqlite3_column_int64(s, 4),
		};

		fn(arg, &r);
		rows = 1;
	}
	return ended(s, rc, rows);
}

int hourfile_count(struct hourfile *f, uint64_t *messages_out,
    uint64_t *recipients_out)
{
	sqlite3_stmt *s = hourfile_stmt(f, SQL_COUNT);
	int rc = s == NULL ? SQLITE_ERROR : sqlite3_step(s);

	if (rc != SQLITE_ROW)
		return s == NULL ? -1 : ended(s, rc, -1);
	*messages_out = (uint64_t)sqlite3_column_int64(s, 0);
	*recipients_out = (uint64_t)sqlite3_column_int64(s, 1);
	return ended(s, SQLITE_DONE, 0);
}

int hourfile_sizes(struct hourfile *f, uint64_t most, uint64_t *messages,
    uint64_t *bytes)
{
	sqlite3_stmt *s = hourfile_stmt(f, SQL_SIZES);
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, (int64_t)most);
	rc = sqlite3_step(s);
	if (rc != SQLITE_ROW)
		return ended(s, rc, -1);
	*messages += (uint64_t)sqlite3_column_int64(s, 0);
	*bytes += (uint64_t)sqlite3_column_int64(s, 1);
	return ended(s, SQLITE_DONE, 0);
}

static void move_of(sqlite3_stmt *s, struct delivery_event *m)
{
	int kind = sqlite3_column_int(s, 1);

	m->time_us = sqlite3_column_int64(s, 0);
	m->kind = kind > EV_NONE && kind < EV_KINDS ? (enum event_kind)kind
						    : EV_NONE;
	m->rcpt = (uint32_t)sqlite3_column_int64(s, 2);
	m->leg = text_at(s, 3);
	m->role = (uint8_t)sqlite3_column_int(s, 4);
	m->why = (uint8_t)sqlite3_column_int(s, 5);
	m->uncertain = (uint8_t)sqlite3_column_int(s, 6);
	m->attempt = (uint16_t)sqlite3_column_int(s, 7);
	m->change = (uint64_t)sqlite3_column_int64(s, 8);
	m->detail = slice_of(sqlite3_column_blob(s, 9),
	    (size_t)sqlite3_column_bytes(s, 9));
}

int hourfile_delivered(struct hourfile *f, struct hour_seek *at, int most,
    void (*fn)(void *arg, const struct delivery_event *m), void *arg)
{
	sqlite3_stmt *s = hourfile_stmt(f, SQL_DELIVERED);
	int rc, rows = 0;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, at->id);
	sqlite3_bind_int64(s, 2, at->seq);
	sqlite3_bind_int(s, 3, EV_DELIVERED);
	sqlite3_bind_int(s, 4, most);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct delivery_event m = {.kind = EV_DELIVERED,
		    .id = (uint64_t)sqlite3_column_int64(s, 0),
		    .time_us = sqlite3_column_int64(s, 2),
		    .leg = text_at(s, 3), .to = text_at(s, 5),
		    .uncertain = (uint8_t)sqlite3_column_int(s, 4)};

		at->id = sqlite3_column_int64(s, 0);
		at->seq = sqlite3_column_int64(s, 1);
		fn(arg, &m);
		rows++;
	}
	return ended(s, rc, rows);
}

bool hourfile_has_gap(struct hourfile *f)
{
	sqlite3_stmt *s = hourfile_stmt(f, SQL_GAPS);
	int rc = s == NULL ? SQLITE_ERROR : sqlite3_step(s);

	sqlite3_reset(s);
	return rc != SQLITE_DONE;
}

int hourfile_events(struct hourfile *f, uint64_t id,
    void (*fn)(void *arg, const struct delivery_event *m), void *arg)
{
	sqlite3_stmt *s = stmt_for(f, SQL_MOVES, (int64_t)id);
	int rc, rows = 0;

	if (s == NULL)
		return -1;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct delivery_event m = {.id = id, .to = ""};

		move_of(s, &m);
		fn(arg, &m);
		rows = 1;
	}
	return ended(s, rc, rows);
}

static void bind_hash(sqlite3_stmt *s, int64_t hash)
{
	if (hash != 0)
		sqlite3_bind_int64(s, 1, hash);
	else
		sqlite3_bind_null(s, 1);
}

static void bind_text(sqlite3_stmt *s, int at, const char *text)
{
	sqlite3_bind_text(s, at, text == NULL ? "" : text, -1, SQLITE_STATIC);
}

static void bind_key(sqlite3_stmt *s, const struct hour_key *k)
{
	switch (k->by) {
	case KEY_TIME:
		sqlite3_bind_int64(s, 1, k->since_us);
		sqlite3_bind_int64(s, 2, k->until_us);
		break;
	case KEY_MOVE:
		sqlite3_bind_int(s, 1, k->kind);
		bind_text(s, 2, k->leg);
		sqlite3_bind_int(s, 3, k->code);
		bind_text(s, 4, k->text);
		break;
	case KEY_DOMAIN:
	case KEY_SUBJECT:
		bind_text(s, 1, k->text);
		break;
	default:
		bind_hash(s, k->hash);
		break;
	}
}

int hourfile_find(struct hourfile *f, const struct hour_key *k,
    bool (*fn)(void *arg, uint64_t id), void *arg)
{
	static const enum hour_sql by[] = {
		[KEY_MESSAGE_ID] = SQL_BY_MESSAGE_ID,
		[KEY_TO] = SQL_BY_TO,
		[KEY_FROM] = SQL_BY_FROM,
		[KEY_CLIENT] = SQL_BY_CLIENT,
		[KEY_MOVE] = SQL_BY_MOVE,
		[KEY_DOMAIN] = SQL_BY_DOMAIN,
		[KEY_SUBJECT] = SQL_BY_SUBJECT,
		[KEY_TIME] = SQL_BY_TIME,
	};
	sqlite3_stmt *s = hourfile_stmt(f, by[k->by]);
	bool on = true;
	int rc = SQLITE_OK, rows = 0;

	if (s == NULL)
		return -1;
	bind_key(s, k);
	while (on && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		on = fn(arg, (uint64_t)sqlite3_column_int64(s, 0));
		rows = 1;
	}
	return ended(s, on ? rc : SQLITE_OK, rows);
}

int hourfile_notes(struct hourfile *f, const struct hour_key *k,
    void (*fn)(void *arg, int64_t time_us, struct slice event,
	struct slice fields), void *arg)
{
	static const enum hour_sql by[] = {
		[KEY_ID] = SQL_NOTES_ID,
		[KEY_TO] = SQL_NOTES_TO,
		[KEY_FROM] = SQL_NOTES_FROM,
		[KEY_CLIENT] = SQL_NOTES_CLIENT,
		[KEY_TIME] = SQL_NOTES_TIME,
	};
	sqlite3_stmt *s = hourfile_stmt(f, by[k->by]);
	int rc, rows = 0;

	if (s == NULL)
		return -1;
	bind_key(s, k);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		fn(arg, sqlite3_column_int64(s, 0), slice_str(text_at(s, 1)),
		    slice_str(text_at(s, 2)));
		rows = 1;
	}
	return ended(s, rc, rows);
}
