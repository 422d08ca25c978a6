/* SPDX-License-Identifier: ISC
 *
 * watermark.mark: a person says that mailboxes were synchronized, or does
 * without. The ops loop; the thread of the watermarks decides.
 */
#include "relay/control/control_int.h"

#include "relay/audit/delivered/watermark_state.h"
#include "relay/cutover/watermark/watermarks.h"

struct marking {
	struct control *c;
	struct ctl_request *r;
	struct arena *a;
	struct watermark_decision d;
};

static void put_refused(struct marking *m, const char *address,
    const char *why)
{
	struct jout *j = ctl_row(m->r);

	jout_str(j, "address", address);
	jout_str(j, "why", why);
	ctl_row_end(m->r);
}

static unsigned print(struct marking *m)
{
	char why[200];
	unsigned refused = 0;

	for (unsigned i = 0; i < m->d.n; i++) {
		const char *address = m->d.row[i].address;

		refused += m->d.row[i].result != MARK_DONE;
		switch (m->d.row[i].result) {
		case MARK_DONE:
			break;
		case MARK_NONE:
			put_refused(m, address, m->d.waived
			    ? "it has no watermark: its route has left no "
			      "leg; name the leg by --leg"
			    : "it has no watermark: its route has left no "
			      "leg");
			break;
		case MARK_ADDRESS:
			put_refused(m, address, "it is no address");
			break;
		case MARK_EARLY:
			snprintf(why, sizeof(why), "its watermark at %s is "
			    "%s; synchronize it when it is reached",
			    m->d.row[i].leg,
			    watermark_state_text(m->d.row[i].state));
			put_refused(m, address, why);
			break;
		}
	}
	return refused;
}

static void on_done(void *arg)
{
	struct marking *m = arg;

	if (m->d.err.text[0] != '\0')
		ctl_end(m->r, 1, "%s", m->d.err.text);
	else
		ctl_end(m->r, print(m) == 0 ? 0 : 1, "%s", "");
	m->c->busy--;
	arena_free(m->a);
	mem_free(m);
}

static void take_addresses(struct marking *m, const json_t *list)
{
	size_t n = json_array_size(list);

	m->d.row = arena_alloc(m->a, (n + 1) * sizeof(*m->d.row));
	for (size_t i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (s != NULL)
			m->d.row[m->d.n++].address = arena_strdup(m->a, s);
	}
}

void control_watermark_mark(void *arg, struct ctl_request *r,
    const json_t *args)
{
	struct control *c = arg;
	const char *leg = control_arg(args, "leg");
	struct marking *m;

	if (leg[0] != '\0' &&
	    names_find(c->cfg.shared->names, slice_str(leg)) < 0) {
		ctl_end(r, 1, "no leg is called \"%s\"; see `posthouse leg "
		    "list`", leg);
		return;
	}
	m = NEW(struct marking);
	m->c = c;
	m->r = r;
	m->a = arena_new();
	c->busy++;
	m->d.waived = json_is_true(json_object_get(args, "waive"));
	m->d.leg = arena_strdup(m->a, leg);
	m->d.who = arena_strdup(m->a, ctl_who(r));
	m->d.host = arena_strdup(m->a, control_arg(args, "host"));
	m->d.note = arena_strdup(m->a, control_arg(args, "note"));
	m->d.command = m->d.waived ? "watermark waive" : "watermark synced";
	take_addresses(m, json_object_get(args, "addresses"));
	m->d.done = on_done;
	m->d.arg = m;
	m->d.to = &c->box;
	m->d.kind = O_CALL;
	watermarks_decide(c->cfg.watermarks, &m->d);
}
