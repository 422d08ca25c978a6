/* SPDX-License-Identifier: ISC
 *
 * Which deliveries of the queue a command is about. Addresses and replies
 * are not in memory, but hashes of addresses are. The queue's thread says which
 * messages may be of a sender or recipient, and gives a slice of what fits by
 * all that it knows; the messages are read from the journal one after the
 * other, then comes the next slice. Neither the queue nor a client that reads
 * slowly is kept waiting, and of however many there are only a slice is in
 * memory. The ops loop.
 */
#include "relay/control/control_select.h"

#include "relay/mail/addr.h"
#include "relay/mail/domain.h"

/* ---- the walk ---- */

static void select_next(struct select *s);

void select_go_on(void *arg)
{
	select_next(arg);
}

static bool row_matches(const struct select *s, const struct queue_row *row)
{
	const struct filter *f = &s->f;

	if ((f->leg >= 0 && row->item.leg != f->leg) ||
	    (f->people != NULL &&
		!wave_people_may(f->people, row->item.hash)) ||
	    (f->restored && (row->item.state != D_FROZEN ||
				row->item.reason != WHY_RESTORED)))
		return false;
	/* By a clock that was set back it may have been accepted later than
	 * now: that hides it only from those who ask for an age. */
	if (row->id > f->until || (f->age_ms > 0 &&
		id_wall_ms(row->id) > s->now_us / 1000 - f->age_ms))
		return false;
	if (f->state >= 0)
		return row->item.state == f->state;
	return s->all_states || dstate_live(row->item.state);
}

/* Named messages come one after the other. How many deliveries were looked
 * at. */
static unsigned read_named(struct select *s, struct queue_row *rows,
    unsigned room)
{
	struct queue *q = queue_thread_queue(s->c->cfg.queue_thread);
	unsigned n = queue_walk_message(q, &s->at, rows, room);

	if (n == room) /* there may be more of it */
		return n;
	s->end = ++s->f.at == s->f.ids;
	if (!s->end)
		s->at = (struct queue_at){s->f.id[s->f.at], 0};
	return n;
}

static unsigned read_some(struct select *s, unsigned room)
{
	struct queue *q = queue_thread_queue(s->c->cfg.queue_thread);
	struct queue_row *rows = s->rows + s->n;
	unsigned got;

	if (s->f.ids != 0)
		got = read_named(s, rows, room);
	else {
		got = queue_walk(q, &s->at, rows, room);
		s->end = got == 0;
	}
	for (unsigned i = 0; i < got; i++)
		if (row_matches(s, &rows[i]))
			s->rows[s->n++] = rows[i];
	return got + 1;
}

/* On the queue's thread. */
static void read_slice(void *arg)
{
	struct select *s = arg;
	bool many = s->apply != NULL && s->found >= SELECT_SHOWN;
	unsigned max = many ? SELECT_MANY : SELECT_SLICE;
	unsigned looks = 0;

	s->row_at = s->n = 0;
	while (!s->end && s->n < max && looks < SELECT_LOOKS)
		looks += read_some(s, max - s->n);
	if (many && s->n > 0)
		s->apply(s);
	else
		control_come_back(s->c, select_go_on, s);
}

static struct slice sender_of(const struct filter *f)
{
	return slice_str(strcmp(f->from, "<>") == 0 ? "" : f->from);
}

static bool is_of_customer(const struct select *s, struct slice to)
{
	const struct conf_domain *d = NULL;
	long at = slice_rfind(to, '@');
	struct strbuf domain;

	strbuf_init(&domain, ADDR_DOMAIN_MAX);
	if (at >= 0 && domain_normal(slice_from(to, (size_t)at + 1), &domain))
		d = conf_domain(s->c->snapshot->conf, strbuf_view(&domain));
	strbuf_fini(&domain);
	return d != NULL && strcmp(d->customer, s->f.customer) == 0;
}

static bool is_member(struct select *s, const char *to)
{
	return s->f.people == NULL ||
	       wave_people_has(s->f.people, to, &s->fault) > 0;
}

static bool text_matches(struct select *s, const struct queue_row *row,
    const struct mail *m)
{
	const struct filter *f = &s->f;
	const char *to = m->env.rcpt[row->item.rcpt].to;

	return (f->to[0] == '\0' ||
		   slice_case_eq(slice_str(f->to), slice_str(to))) &&
	       (f->from[0] == '\0' ||
		   slice_case_eq(sender_of(f), slice_str(m->env.from))) &&
	       (f->customer[0] == '\0' ||
		   is_of_customer(s, slice_str(to))) &&
	       is_member(s, to);
}

static void fetch(struct select *s, uint64_t id)
{
	struct spool_fetch *f = spool_fetch_new(id, &s->c->box, O_FETCHED);

	s->current = id;
	f->arg = s;
	spool_fetch_post(s->c->cfg.shared->spool, f);
}

/* The members are those of another table by now, or cannot be asked for. */
static bool is_broken(struct select *s)
{
	struct shared *sh = s->c->cfg.shared;

	if (s->f.people != NULL && s->fault.text[0] == '\0' &&
	    (atomic_load(&sh->table_bad) ||
		atomic_load(&sh->table_epoch) != s->table_epoch))
		error_set(&s->fault, "the cutover table was replaced or cannot "
		    "be read; look at `posthouse status`, then say it once "
		    "more");
	return s->fault.text[0] != '\0';
}

static void select_end(struct select *s)
{
	s->walked = true;
	s->finish(s);
}

/* The client, or what was begun for it, is to catch up first. */
static bool pauses(struct select *s)
{
	if (s->open >= s->open_max) {
		s->paused = true;
		return true;
	}
	if (!ctl_busy(s->r))
		return false;
	if (s->f.people != NULL)
		wave_people_rest(s->f.people);
	ctl_on_drain(s->r, select_go_on, s);
	return true;
}

bool select_unread(const struct select *s)
{
	return s->f.from[0] == '\0' && s->f.to[0] == '\0' &&
	       s->f.customer[0] == '\0' && s->f.people == NULL;
}

static bool counts_unread(struct select *s, const struct queue_row *row)
{
	if (!s->count || !select_unread(s))
		return false;
	s->found++;
	s->last = row->id;
	return true;
}

static void select_next(struct select *s)
{
	while (s->row_at < s->n && (!row_matches(s, &s->rows[s->row_at]) ||
				       counts_unread(s, &s->rows[s->row_at])))
		s->row_at++;
	if (s->found >= s->limit || ctl_gone(s->r) || is_broken(s)) {
		select_end(s);
		return;
	}
	if (pauses(s))
		return;
	if (s->row_at < s->n)
		fetch(s, s->rows[s->row_at].id);
	else if (s->end)
		select_end(s);
	else
		control_ask_queue(s->c, read_slice, s);
}

/* ---- the beginning ---- */

static int by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Oldest first, as all are shown. */
static void on_candidates(void *arg)
{
	struct select *s = arg;
	struct queue_ids *ids = &s->ids;

	if (ids->n == 0 || ctl_gone(s->r)) {
		select_end(s);
		return;
	}
	qsort(ids->id, ids->n, sizeof(*ids->id), by_id);
	for (size_t i = 0; i < ids->n; i++)
		if (i == 0 || ids->id[i] != ids->id[s->f.ids - 1])
			ids->id[s->f.ids++] = ids->id[i];
	mem_free(s->f.id);
	s->f.id = ids->id;
	ids->id = NULL;
	s->f.chosen = true;
	s->at = (struct queue_at){s->f.id[0], 0};
	control_ask_queue(s->c, read_slice, s);
}

/* On the queue's thread, a part at a time. */
static void read_candidates(void *arg)
{
	struct select *s = arg;
	struct queue *q = queue_thread_queue(s->c->cfg.queue_thread);

	if (queue_candidates(q, &s->wanted, &s->ids_at, &s->ids))
		control_ask_queue(s->c, read_candidates, s);
	else
		control_come_back(s->c, on_candidates, s);
}

static void begin_walk(struct select *s)
{
	const struct filter *f = &s->f;

	if (f->to[0] != '\0')
		s->wanted.to_n = mail_rcpt_hashes(s->c->snapshot->conf, f->to,
		    s->to);
	if (f->from[0] != '\0')
		s->wanted.from = (uint32_t)(mail_sender(sender_of(f).p) >>
		    QUEUE_FROM_SHIFT);
	s->wanted.to = s->to;
	if (f->ids != 0)
		s->at = (struct queue_at){f->id[0], 0};
	if (f->ids == 0 && (s->wanted.to_n != 0 || s->wanted.from != 0))
		control_ask_queue(s->c, read_candidates, s);
	else
		control_ask_queue(s->c, read_slice, s);
}

/* Some members a turn of the loop. */
static void read_people(void *arg)
{
	struct select *s = arg;
	int rc = is_broken(s) ? -1
			      : wave_people_read(s->f.people, &s->fault);

	if (rc < 0 || ctl_gone(s->r))
		select_end(s);
	else if (rc > 0)
		control_come_back(s->c, read_people, s);
	else
		begin_walk(s);
}

void select_begin(struct select *s)
{
	if (s->f.people != NULL) {
		control_come_back(s->c, read_people, s);
		return;
	}
	begin_walk(s);
}

void select_closed(struct select *s)
{
	s->open--;
	if (s->walked) {
		if (s->open == 0)
			s->finish(s);
		return;
	}
	if (!s->paused || s->open > s->open_max / 2)
		return;
	s->paused = false;
	select_next(s);
}

void control_queue_fetched(struct spool_fetch *f)
{
	struct select *s = f->arg;
	struct mail *m;

	/* Over since the slice was taken: no longer in the queue. */
	m = f->status == 0 ? mail_of_fetch(f) : NULL;
	if (f->status != 0)
		spool_fetch_free(f);
	while (s->row_at < s->n && s->rows[s->row_at].id == s->current) {
		const struct queue_row *row = &s->rows[s->row_at++];

		if (m == NULL || row->item.rcpt >= m->env.rcpts ||
		    !row_matches(s, row) || !text_matches(s, row, m) ||
		    s->found >= s->limit)
			continue;
		s->found++;
		s->match(s, row, m);
	}
	mail_unref(m);
	if (s->message_end != NULL)
		s->message_end(s);
	select_next(s);
}

/* ---- arguments ---- */

static int bad_id(struct select *s, const char *text)
{
	ctl_end(s->r, 1, "\"%s\" is no message id; ids have 13 characters, "
		"see `posthouse queue list`", text);
	return -1;
}

static int read_ids(struct select *s, const json_t *args)
{
	const json_t *ids = json_object_get(args, "ids");
	const char *one = control_arg(args, "id");
	const char *until = control_arg(args, "until");
	size_t n = json_array_size(ids);

	s->f.until = UINT64_MAX;
	if (until[0] != '\0' && id_parse(slice_str(until), &s->f.until) < 0)
		return bad_id(s, until);
	s->f.id = NEW_ARRAY(uint64_t, n + 1);
	if (one[0] != '\0' &&
	    id_parse(slice_str(one), &s->f.id[s->f.ids++]) < 0)
		return bad_id(s, one);
	for (size_t i = 0; i < n; i++) {
		const char *t = json_string_value(json_array_get(ids, i));

		if (id_parse(slice_str(t), &s->f.id[s->f.ids++]) < 0)
			return bad_id(s, t == NULL ? "" : t);
	}
	return 0;
}

static int read_leg(struct select *s, const char *leg)
{
	s->f.leg = -1;
	if (leg[0] == '\0')
		return 0;
	s->f.leg = names_find(s->c->cfg.shared->names, slice_str(leg));
	if (s->f.leg >= 0)
		return 0;
	ctl_end(s->r, 1, "no leg is called \"%s\"; see `posthouse leg list`",
	    leg);
	return -1;
}

static int read_customer(struct select *s, const char *customer)
{
	const struct conf *conf = s->c->snapshot->conf;
	bool known = customer[0] == '\0';

	s->f.customer = mem_strdup(customer);
	for (int i = 0; i < conf->domains && !known; i++)
		known = strcmp(conf->domain[i].customer, customer) == 0;
	if (known)
		return 0;
	ctl_end(s->r, 1, "no domain of the configuration belongs to the "
	    "customer %s", customer);
	return -1;
}

static int read_wave(struct select *s, const char *wave)
{
	struct shared *sh = s->c->cfg.shared;
	struct error err;

	if (wave[0] == '\0')
		return 0;
	s->table_epoch = atomic_load(&sh->table_epoch);
	s->f.people = wave_people_open(sh->table_path, s->c->snapshot, wave,
	    &err);
	if (s->f.people != NULL)
		return 0;
	ctl_end(s->r, 1, "%s", err.text);
	return -1;
}

static int read_state(struct select *s, const char *state)
{
	s->f.state = -1;
	if (state[0] == '\0')
		return 0;
	s->f.state = dstate_parse(slice_str(state));
	if (s->f.state >= 0)
		return 0;
	ctl_end(s->r, 1, "no state is called \"%s\"; queued, deferred, held, "
		"frozen and parked are", state);
	return -1;
}

/* A condition that is given and empty selects nothing, not everything. */
static int check_given(struct select *s, const json_t *args)
{
	static const char *const keys[] = {"from", "to", "customer", "leg",
	    "state", "wave"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (json_object_get(args, keys[i]) == NULL ||
		    control_arg(args, keys[i])[0] != '\0')
			continue;
		ctl_end(s->r, 1, "\"%s\" is empty; leave it out, or say "
			"which", keys[i]);
		return -1;
	}
	return 0;
}

void select_free(struct select *s)
{
	s->c->busy--;
	mem_free(s->f.from);
	mem_free(s->f.to);
	mem_free(s->f.customer);
	wave_people_free(s->f.people);
	mem_free(s->f.id);
	mem_free(s->ids.id);
	mem_free(s->bulk);
	mem_free(s->who);
	mem_free(s->reason);
	mem_free(s);
}

struct select *select_new(struct control *c, struct ctl_request *r,
    const json_t *args)
{
	struct select *s = NEW(struct select);
	json_int_t limit = json_integer_value(json_object_get(args, "limit"));
	json_int_t age_s = json_integer_value(json_object_get(args, "age_s"));

	s->c = c;
	s->r = r;
	c->busy++;
	s->now_us = clock_wall_us(c->cfg.shared->clock);
	s->limit = limit > 0 ? (uint64_t)limit : UINT64_MAX;
	s->open_max = 1;
	s->f.restored = json_is_true(json_object_get(args, "restored"));
	s->f.from = mem_strdup(control_arg(args, "from"));
	s->f.to = mem_strdup(control_arg(args, "to"));
	/* An age beyond all times selects nothing, not everything. */
	if (age_s > 0)
		s->f.age_ms = (age_s < AGE_MAX_S ? age_s : AGE_MAX_S) * 1000;
	if (check_given(s, args) == 0 &&
	    read_leg(s, control_arg(args, "leg")) == 0 &&
	    read_customer(s, control_arg(args, "customer")) == 0 &&
	    read_state(s, control_arg(args, "state")) == 0 &&
	    read_ids(s, args) == 0 &&
	    read_wave(s, control_arg(args, "wave")) == 0)
		return s;
	select_free(s);
	return NULL;
}
