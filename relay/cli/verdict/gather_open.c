/* SPDX-License-Identifier: ISC
 *
 * open: does anything wait for the server, and is a move under way?
 */
#include "relay/cli/verdict/gather.h"

#include <inttypes.h>

#include "policy/wave/file/wave_file.h"
#include "relay/cli/common/json_get.h"

/* ---- the daemon ------------------------------------------------------- */

struct open_look {
	struct verdict_look *g;
	bool seen; /* the leg's row came */
};

/* `open` has what is held and frozen in it. */
static void on_leg(void *arg, json_t *row)
{
	struct open_look *l = arg;
	struct verdict_look *g = l->g;
	int64_t gap = json_number(row, "gap");
	const char *leg = json_text(row, "leg");

	if (gap != 0)
		gather_fact(g, FACT_GAP, 0, "%s: %" PRId64, leg, gap);
	if (strcmp(leg, g->v->leg) == 0)
		l->seen = true;
}

static void on_delivery(void *arg, json_t *row)
{
	static const struct {
		const char *state;
		enum fact_id fact;
	} states[] = {
		{"held", FACT_HELD}, {"frozen", FACT_FROZEN},
		{"parked", FACT_PARKED},
	};
	struct verdict_look *g = ((struct open_look *)arg)->g;
	const char *to = json_text(row, "to"), *state = json_text(row, "state");
	enum fact_id fact = FACT_OPEN;

	if (!gather_has(g, slice_str(to)))
		return;
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (strcmp(state, states[i].state) == 0)
			fact = states[i].fact;
	gather_fact(g, fact, 0, "%s %s", json_text(row, "id"), to);
}

static bool ask_daemon(struct verdict_look *g)
{
	struct open_look l = {.g = g};
	json_t *args = json_pack("{s:s}", "leg", g->v->leg);
	int code = cli_call_if_running(g->c, "leg.list", NULL, on_leg, &l);

	if (code == CLI_DONE)
		code = cli_call_if_running(g->c, "queue.list", args,
		    on_delivery, &l);
	else
		json_decref(args);
	if (code == CLI_DONE && l.seen)
		return true;
	g->f.unread[REASON_OPEN] = code == CLI_NO_DAEMON
	    ? "the daemon does not run, which alone knows what waits"
	    : "the daemon does not say what waits for it";
	return false;
}

/* ---- waves ------------------------------------------------------------ */

struct waves_look {
	struct verdict_look *g;
	struct wave_file *f;
	struct wave wave[64]; /* not over; their texts live with the file */
	size_t waves;
	bool more;
	bool ours; /* a member that the verdict is about */
};

static void on_wave(void *arg, const struct wave *w)
{
	struct waves_look *l = arg;

	if (w->state == WAVE_DONE || w->state == WAVE_ROLLED_BACK)
		return;
	if (l->waves == ARRAY_LEN(l->wave)) {
		l->more = true;
		return;
	}
	l->wave[l->waves] = *w;
	l->wave[l->waves++].name = arena_strdup(l->g->f.arena, w->name);
}

static void on_member(void *arg, const struct member *m)
{
	struct waves_look *l = arg;

	l->ours |= gather_has(l->g, m->address);
}

static int look_at_wave(struct waves_look *l, const struct wave *w,
    struct error *err)
{
	const struct member_page page = {.id = w->id, .state = -1,
	    .fn = on_member, .arg = l};
	const struct conf_verdict *v = l->g->v;

	l->ours = v->domains.count == 0 && v->customer[0] == '\0';
	if (!l->ours && wave_members(l->f, &page, err) < 0)
		return -1;
	if (l->ours)
		gather_fact(l->g, FACT_WAVE, 0, "%s is %s", w->name,
		    wave_state_text((int)w->state));
	return 0;
}

static int look_at_waves(struct verdict_look *g, struct error *err)
{
	struct waves_look *l = arena_alloc(g->f.arena, sizeof(*l));
	int rc;

	l->g = g;
	l->f = wave_file_open(g->table_path, false, err);
	if (l->f == NULL)
		return -1;
	rc = wave_each(l->f, on_wave, l, err);
	for (size_t i = 0; i < l->waves && rc == 0; i++)
		rc = look_at_wave(l, &l->wave[i], err);
	if (l->more)
		gather_fact(g, FACT_WAVE, 0, "and more");
	wave_file_close(l->f);
	return rc;
}

void gather_open(struct verdict_look *g)
{
	struct error err = {0};

	if (!ask_daemon(g))
		return;
	if (look_at_waves(g, &err) < 0) {
		g->f.unread[REASON_OPEN] = gather_text(g, "%s", err.text);
		return;
	}
	g->f.looked[REASON_OPEN] = "the queue is empty there, no row is held, "
	    "all waves are over, and the counts add up";
}
