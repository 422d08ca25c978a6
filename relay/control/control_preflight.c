/* SPDX-License-Identifier: ISC
 *
 * preflight.start: legs are asked about recipients, on the preflight thread;
 * the ops loop asks it, and follows until the asking has ended. It goes on when
 * the client leaves.
 *
 *   {"wave":"w7","route":"cloud","wait":true}
 *   {"leg":"cloud","against":"legacy","sample":2000,"wave":"w7"}
 *
 * A row when something changed: number, rows, settled, ended, stop, reason.
 */
#include "relay/control/control_int.h"

#include "policy/preflight/preflight.h"
#include "relay/cutover/preflight/preflights.h"

enum { FOLLOW_MS = 250, SAMPLE_MAX = 200000 };

struct preflight_asked {
	struct control *c;
	struct ctl_request *r;
	struct arena *a;
	struct preflight_order order;
	bool wait;
	struct timer again;
	uint64_t told; /* rows that were settled at the last row, + 1; 0 */
	/* As the preflight thread saw it. */
	int64_t number; /* 0: it has not begun */
	int rc;
	struct error err;
	struct preflight_seen seen;
};

static void asked_end(struct preflight_asked *q, int code, const char *why)
{
	ctl_end(q->r, code, "%s", why);
	timer_fini(&q->again);
	q->c->busy--;
	arena_free(q->a);
	mem_free(q);
}

static void put_seen(struct preflight_asked *q)
{
	const struct preflight_seen *s = &q->seen;
	struct jout *j;

	if (!s->ended && q->told == s->counts.settled + 1)
		return;
	q->told = s->counts.settled + 1;
	j = ctl_row(q->r);
	jout_int(j, "number", s->number);
	jout_int(j, "rows", (int64_t)s->counts.rows);
	jout_int(j, "settled", (int64_t)s->counts.settled);
	jout_bool(j, "ended", s->ended);
	jout_str(j, "stop", preflight_stop_text(s->stop));
	jout_str(j, "reason", s->reason);
	ctl_row_end(q->r);
}

static void on_seen(void *arg)
{
	struct preflight_asked *q = arg;

	if (q->rc < 0) {
		asked_end(q, 1, q->err.text);
		return;
	}
	if (ctl_gone(q->r)) {
		asked_end(q, 1, "gone");
		return;
	}
	put_seen(q);
	if (q->wait && !q->seen.ended)
		timer_set(&q->again, FOLLOW_MS);
	else
		asked_end(q, 0, "");
}

/* ---- the preflight thread ------------------------------------------------ */

static void carry_out(void *arg)
{
	struct preflight_asked *q = arg;
	struct preflights *p = q->c->cfg.preflights;

	q->rc = q->number > 0
		    ? preflights_look(p, q->number, &q->seen, &q->err)
		    : preflights_order(p, &q->order, &q->seen, &q->err);
	q->number = q->seen.number;
	control_come_back(q->c, on_seen, q);
}

/* ---- what is asked ------------------------------------------------------- */

static void on_again(void *arg)
{
	struct preflight_asked *q = arg;

	preflights_ask(q->c->cfg.preflights, carry_out, q);
}

static const char *text_of(struct preflight_asked *q, const json_t *args,
    const char *key)
{
	const char *text = control_arg(args, key);

	return text[0] == '\0' ? NULL : arena_strdup(q->a, text);
}

void control_preflight_start(void *arg, struct ctl_request *r,
    const json_t *args)
{
	struct control *c = arg;
	int64_t sample = json_integer_value(json_object_get(args, "sample"));
	struct preflight_asked *q;

	if (control_arg(args, "wave")[0] == '\0' &&
	    control_arg(args, "leg")[0] == '\0') {
		ctl_end(r, 2, "a wave or a leg is wanted");
		return;
	}
	if (sample < 0 || sample > SAMPLE_MAX) {
		ctl_end(r, 2, "sample is %d at most", SAMPLE_MAX);
		return;
	}
	q = NEW(struct preflight_asked);
	*q = (struct preflight_asked){.c = c, .r = r, .a = arena_new()};
	q->order = (struct preflight_order){
	    .wave = text_of(q, args, "wave"),
	    .route = text_of(q, args, "route"),
	    .leg = text_of(q, args, "leg"),
	    .against = text_of(q, args, "against"),
	    .sample = sample,
	    .who = arena_strdup(q->a, ctl_who(r)),
	    .by_hand = true,
	};
	q->order.kind = q->order.leg != NULL ? ASKING_COMPARE : ASKING_WAVE;
	q->wait = json_is_true(json_object_get(args, "wait"));
	timer_init(&q->again, c->cfg.ops, on_again, q);
	c->busy++;
	preflights_ask(c->cfg.preflights, carry_out, q);
}
