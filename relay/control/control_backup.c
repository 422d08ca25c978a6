/* SPDX-License-Identifier: ISC
 *
 * backup.hold: the spool is held as long as the request is open, so that
 * another process can copy it while mail flows. The client asks for the end of
 * the journal when it has copied the audit index, and ends the request when it
 * has copied the segments up to there. If it goes away, the hold ends. The ops
 * loop.
 *
 *   {"take":true}  is answered by a row for each segment and one of the
 *   position;  {"end":true}
 */
#include "relay/control/control_int.h"

#include "relay/base/log.h"
#include "relay/spool/backup/hold.h"

struct backup {
	struct control *c;
	struct ctl_request *r;
	struct spool_hold *hold;
	bool taken;
};

static void backup_end(struct backup *b, int code, const char *why)
{
	log_info("backup.ended", kv_str("who", ctl_who(b->r)),
	    kv_int("exit", code));
	ctl_end(b->r, code, "%s", why);
	spool_hold_free(b->hold);
	b->c->busy--;
	mem_free(b);
}

static void print_slots(struct backup *b)
{
	const struct spool_slot *slot;
	unsigned n;

	slot = spool_hold_slots(b->hold, &n);
	for (unsigned i = 0; i < n; i++) {
		struct jout *j = ctl_row(b->r);

		jout_int(j, "slot", slot[i].slot);
		jout_str(j, "lane", slot[i].bulk ? "bulk" : "main");
		jout_int(j, "generation", (int64_t)slot[i].generation);
		jout_int(j, "bytes", (int64_t)slot[i].bytes);
		ctl_row_end(b->r);
	}
}

static void take(struct backup *b)
{
	struct spool_pos end = spool_hold_take(b->hold);
	struct jout *j;

	b->taken = true;
	print_slots(b);
	j = ctl_row(b->r);
	jout_int(j, "generation", (int64_t)end.generation);
	jout_int(j, "offset", (int64_t)end.offset);
	ctl_row_end(b->r);
}

static void on_line(void *arg, const json_t *line)
{
	struct backup *b = arg;

	if (line == NULL) {
		backup_end(b, 1, "gone");
	} else if (json_is_true(json_object_get(line, "end"))) {
		backup_end(b, 0, "");
	} else if (b->taken || !json_is_true(json_object_get(line, "take"))) {
		backup_end(b, 2, "take, once, or end is wanted");
	} else {
		take(b);
		ctl_more(b->r, on_line, b);
	}
}

void control_backup_hold(void *arg, struct ctl_request *r,
    const json_t *args)
{
	struct backup *b = NEW(struct backup);
	struct control *c = arg;

	(void)args;
	b->c = c;
	b->r = r;
	c->busy++;
	log_info("backup.begun", kv_str("who", ctl_who(r)));
	b->hold = spool_hold_new(c->cfg.shared->spool);
	ctl_more(r, on_line, b);
}
