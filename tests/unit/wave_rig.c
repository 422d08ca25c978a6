/* SPDX-License-Identifier: ISC
 *
 * Waves that run on a clock of the test.
 */
#include "tests/unit/wave_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"

static void on_told(void *arg, const struct wave_told *t)
{
	struct wave_rig *r = arg;
	size_t n = strlen(r->told);

	n += (size_t)snprintf(r->told + n, sizeof(r->told) - n, "%s%s %s %s",
	    n == 0 ? "" : ", ", t->wave->name,
	    t->hold != NULL ? t->hold : wave_event_text(t->step),
	    wave_state_text((int)t->wave->state));
	if (t->slice > 0 || t->members > 0)
		n += (size_t)snprintf(r->told + n, sizeof(r->told) - n,
		    " %u:%u", (unsigned)t->slice, (unsigned)t->members);
	if (t->reason[0] != '\0')
		snprintf(r->told + n, sizeof(r->told) - n, " (%s)",
		    t->reason);
}

static bool has_name(const char *names, const char *address)
{
	char name[100];
	size_t n = (size_t)(strchr(address, '@') - address);

	snprintf(name, sizeof(name), " %.*s ", (int)n, address);
	return names != NULL && strstr(names, name) != NULL;
}

static enum held_is on_held(void *arg, const struct conf *c,
    const struct held_asked *q, char why[HELD_WHY_MAX])
{
	const struct wave_rig *r = arg;

	(void)c;
	assert_string_equal(q->was, "legacy");
	assert_string_equal(q->to, "cloud");
	if (has_name(r->broken, q->address)) {
		snprintf(why, HELD_WHY_MAX, "no such folder");
		return HELD_FAILED;
	}
	return has_name(r->moved, q->address) ? HELD_ENDED : HELD_WAITS;
}

static void on_overdue(void *arg, const char *wave, const char *text)
{
	struct wave_rig *r = arg;
	size_t n = strlen(r->overdue);

	assert_non_null(strstr(text, "--release"));
	snprintf(r->overdue + n, sizeof(r->overdue) - n, "%s ", wave);
}

static int on_look(void *arg, const struct conf *c,
    const struct brake_asked *q, struct brake_seen *seen_out,
    struct error *err)
{
	struct wave_rig *r = arg;

	(void)c;
	r->looks++;
	if (r->blind)
		return error_set(err, "no ledger");
	*seen_out = r->seen;
	seen_out->base = q->baseline ? r->seen.base : (struct soak_counts){0};
	return 0;
}

static void on_braked(void *arg, const char *wave, const char *text)
{
	struct wave_rig *r = arg;
	size_t n = strlen(r->braked);

	assert_non_null(strstr(text, "--accept"));
	snprintf(r->braked + n, sizeof(r->braked) - n, "%s ", wave);
}

static void on_kept(void *arg, struct slice key, const char *why)
{
	struct wave_rig *r = arg;
	size_t n = strlen(r->kept);

	snprintf(r->kept + n, sizeof(r->kept) - n, "%s%.*s: %s",
	    n == 0 ? "" : ", ", (int)slice_find(key, '@'), key.p, why);
}

struct wave_rig *wave_rig_on(struct table_tmp *t, int64_t now_us)
{
	struct wave_rig *r = NEW(struct wave_rig);
	const struct wave_run_ops ops = {on_told, on_held, on_overdue,
	    on_look, on_braked, r};

	r->t = t;
	r->run = wave_run_new(t->path, &ops);
	r->now_us = now_us;
	return r;
}

struct wave_rig *wave_rig_new(void **state)
{
	return wave_rig_on(wave_tmp_table(state), RIG_NOW);
}

void wave_rig_end(struct wave_rig *r)
{
	wave_run_free(r->run);
	mem_free(r);
}

void wave_rig_free(struct wave_rig *r)
{
	struct table_tmp *t = r->t;

	wave_rig_end(r);
	table_tmp_free(t);
}

void wave_rig_settle(struct wave_rig *r)
{
	for (int i = 0; i < 1000; i++)
		if (wave_run_step(r->run, r->t->c, r->now_us) > r->now_us)
			return;
	fail_msg("it does not come to rest");
}

void wave_rig_pass(struct wave_rig *r, int64_t seconds)
{
	r->now_us += seconds * RIG_S;
	wave_rig_settle(r);
}

void wave_rig_told(struct wave_rig *r, const char *want)
{
	assert_string_equal(r->told, want);
	r->told[0] = '\0';
}

struct wave_order wave_rig_order(const char *name, enum wave_event event)
{
	return (struct wave_order){
	    .event = event,
	    .name = name,
	    .slice = event == WAVE_ROLLBACK ? 0 : -1,
	    .pause_s = -1,
	    .late_s = -1,
	    .deadline_s = -1,
	    .soak_s = -1,
	    .complaints = -1,
	    .take_back = -1,
	    .by = {.who = "sue", .host = "host", .note = "why",
		.command = event == WAVE_START ? "wave start" : "wave"},
	};
}

static int order(struct wave_rig *r, const struct wave_order *o,
    struct error *err)
{
	struct wave_order told = *o;

	r->kept[0] = '\0';
	told.kept = on_kept;
	told.arg = r;
	told.now_us = r->now_us;
	return wave_run_order(r->run, r->t->c, &told, &r->out, err);
}

void wave_rig_do(struct wave_rig *r, const struct wave_order *o)
{
	struct error err;

	if (order(r, o, &err) < 0)
		fail_msg("%s", err.text);
}

void wave_rig_refused(struct wave_rig *r, const struct wave_order *o,
    const char *says)
{
	struct error err;

	assert_int_equal(order(r, o, &err), -1);
	assert_string_equal(err.text, says);
}

void wave_rig_start(struct wave_rig *r, const char *name, int64_t slice)
{
	struct wave_order o = wave_rig_order(name, WAVE_START);

	o.slice = slice;
	o.pause_s = 60;
	wave_rig_do(r, &o);
}
