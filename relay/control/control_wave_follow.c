/* SPDX-License-Identifier: ISC
 *
 * wave.follow {"name":"w7"}, behind wave start --wait: a row when something
 * changed, until the wave neither runs nor is scheduled. The ops loop; the wave
 * thread looks.
 */
#include "relay/control/control_int.h"

#include <stdio.h>

#include "relay/cutover/wave/wave_thread.h"

enum { FOLLOW_MS = 250 };

struct wave_follow {
	struct control *c;
	struct ctl_request *r;
	char name[WAVE_NAME_MAX + 1];
	struct timer again;
	bool told; /* a row, which had these figures */
	uint64_t done, pending;
	/* As the wave thread saw it. */
	int rc;
	struct error err;
	struct wave_seen seen;
};

static void follow_end(struct wave_follow *w, int code, const char *why)
{
	ctl_end(w->r, code, "%s", why);
	timer_fini(&w->again);
	w->c->busy--;
	mem_free(w);
}

static void put_seen(struct wave_follow *w)
{
	struct jout *j;

	if (w->told && w->done == w->seen.done &&
	    w->pending == w->seen.pending)
		return;
	w->told = true;
	w->done = w->seen.done;
	w->pending = w->seen.pending;
	j = ctl_row(w->r);
	jout_str(j, "name", w->name);
	jout_str(j, "state", wave_state_text((int)w->seen.state));
	jout_int(j, "done", (int64_t)w->done);
	jout_int(j, "pending", (int64_t)w->pending);
	ctl_row_end(w->r);
}

static void on_seen(void *arg)
{
	struct wave_follow *w = arg;
	char why[600];

	if (w->rc < 0) {
		follow_end(w, 1, w->err.text);
	} else if (ctl_gone(w->r)) {
		follow_end(w, 1, "gone");
	} else if (w->seen.state == WAVE_RUNNING ||
		   w->seen.state == WAVE_SCHEDULED) {
		put_seen(w);
		timer_set(&w->again, FOLLOW_MS);
	} else {
		put_seen(w);
		snprintf(why, sizeof(why), "wave %s is %s%s%s", w->name,
		    wave_state_text((int)w->seen.state),
		    w->seen.reason[0] == '\0' ? "" : ": ", w->seen.reason);
		follow_end(w, w->seen.state != WAVE_DONE,
		    w->seen.state == WAVE_DONE ? "" : why);
	}
}

/* The wave thread. */
static void look(void *arg)
{
	struct wave_follow *w = arg;

	w->rc = wave_thread_look(w->c->cfg.waves, w->name, &w->seen, &w->err);
	control_come_back(w->c, on_seen, w);
}

static void on_again(void *arg)
{
	struct wave_follow *w = arg;

	wave_thread_ask(w->c->cfg.waves, look, w);
}

void control_wave_follow(void *arg, struct ctl_request *r, const json_t *args)
{
	struct control *c = arg;
	struct wave_follow *w = NEW(struct wave_follow);

	w->c = c;
	w->r = r;
	c->busy++;
	snprintf(w->name, sizeof(w->name), "%s", control_arg(args, "name"));
	timer_init(&w->again, c->cfg.ops, on_again, w);
	wave_thread_ask(c->cfg.waves, look, w);
}
