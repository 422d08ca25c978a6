/* SPDX-License-Identifier: ISC
 *
 * audit verify without the daemon: the journal is read to its end, and the
 * index is compared with what was found in it.
 */
#include <errno.h>

#include "relay/audit/verify/journal_look.h"
#include "relay/base/mem.h"
#include "relay/cli/audit/verify.h"

/* The spool was restored together with the index. */
static bool was_restored(const struct conserve *n, const struct spool_origin *o)
{
	for (unsigned i = 0; i < o->formers; i++)
		if (o->former[i] == n->spool)
			return true;
	return false;
}

/* Why the index is not one of this journal; NULL: it is. */
static const char *compare(const struct verifying *v,
    const struct journal_look *l)
{
	const struct conserve *n = &v->count;

	if (l->spool == NULL)
		return n->at.generation == 0 ? NULL : "there is no spool";
	if (n->spool == 0 && n->at.generation == 0)
		return l->origin.end.generation == 0 ? NULL
						     : "there is no index";
	if (n->spool != l->origin.id && !was_restored(n, &l->origin))
		return "the spool is another than the one that the index "
		       "knows";
	if (spool_pos_cmp(n->at, l->origin.end) > 0)
		return "the journal ends before what the index has read";
	if (l->origin.corrected > 0)
		return "the journal has not all that it counted when "
		       "posthoused was stopped";
	return NULL;
}

/* The journal at its end, which is where the index is too, or should be. */
static void take_journal(struct verifying *v, const struct journal_look *l)
{
	for (int i = 0; i < NAMES_MAX; i++)
		for (int t = 0; t < TOTALS; t++)
			v->count.leg[i].journal[t] = (int64_t)l->total[i][t];
	v->count.known = true;
}

/* The callbacks of the count get the verifying, holds() the look. */
struct alone {
	struct verifying *v;
	struct journal_look *look;
};

static void on_lost(void *arg, uint64_t id, const char *to)
{
	struct alone *a = arg;

	verify_on_lost(a->v, id, to);
}

static void on_missing(void *arg, const struct conserve_missing *m)
{
	struct alone *a = arg;

	verify_on_missing(a->v, m);
}

static bool holds(void *arg, uint64_t id, uint32_t number)
{
	struct alone *a = arg;

	return journal_look_holds(a->look, id, number);
}

static int count(struct alone *a, struct spool_pos want, bool held)
{
	struct verifying *v = a->v;
	struct error err;

	verify_reset(v, want);
	v->count.on_lost = on_lost;
	v->count.on_missing = on_missing;
	v->count.holds = held ? holds : NULL;
	v->count.arg = a;
	if (conserve_run(v->conf->audit.path, v->c->names, &v->count, &err) ==
	    0)
		return CLI_DONE;
	return cli_fail(v->c, "%s", err.text);
}

/* An index that has read no batch of its era to the end does not know with
 * which figures it begins: it cannot be compared, and is behind. */
static int with_look(struct alone *a)
{
	const struct spool_pos never = {UINT64_MAX, 0}, any = {0};
	struct verifying *v = a->v;

	if (count(a, never, false) != CLI_DONE) /* says where it is */
		return CLI_NO;
	if (v->count.spool == 0 && v->count.at.generation != 0)
		return cli_fail(v->c, "%s was written by an earlier version: "
		    "it is compared with the journal once posthoused has run",
		    v->conf->audit.path);
	v->why = compare(v, a->look);
	if (v->why == NULL && a->look->spool != NULL)
		v->behind = journal_records(a->look->spool, v->count.at, any,
		    NULL);
	v->late = v->behind > 0;
	if (count(a, any, !v->late) != CLI_DONE)
		return CLI_NO;
	if (v->count.spool != 0 && !v->count.based)
		v->late = true;
	if (!v->late)
		take_journal(v, a->look);
	return CLI_DONE;
}

int verify_alone(struct verifying *v)
{
	struct alone a = {.v = v};
	struct error err;
	int code;

	a.look = journal_look(v->conf, v->c->names, &err);
	if (a.look == NULL && err.no == EBUSY)
		return cli_fail(v->c, "%s is in use, and no daemon answers at "
		    "%s; try again when posthoused has started or stopped",
		    v->conf->spool.path, v->conf->control.socket);
	if (a.look == NULL)
		return cli_fail(v->c, "%s", err.text);
	code = with_look(&a);
	journal_look_free(a.look);
	return code;
}
