/* SPDX-License-Identifier: ISC
 *
 * Rows of a file on their way into a change. An address that stands in two
 * entries with different meanings contradicts itself, and both lines are named.
 */
#include "policy/import/stage/import_stage.h"

struct staging_run {
	struct change *ch;
	const struct import_staging *s;
};

static int on_row(void *arg, const struct import_row *in, struct error *err)
{
	const struct staging_run *r = arg;
	struct change_row row = {
	    .line = in->line,
	    .route = in->route,
	    .held = -1,
	    .mailbox = in->mailbox,
	    .addresses = in->addresses,
	    .add_tags = in->tags,
	    .drop_keys = in->keys,
	    .new_route = !r->s->known,
	};

	return change_stage_row(r->ch, slice_str(in->key), &row, err);
}

static void on_fault(void *arg, uint64_t line, const char *why)
{
	const struct staging_run *r = arg;

	change_fault(r->ch, line, why);
}

static void on_read(void *arg, uint64_t bytes)
{
	const struct staging_run *r = arg;

	change_read_so_far(r->ch, bytes);
}

int import_stage(struct change *ch, struct import_staging *s,
    struct error *err)
{
	struct staging_run r = {ch, s};
	const struct import_sink sink = {on_row, on_fault, on_read, &r};

	change_refuse_conflicts(ch);
	import_read(s->how, s->fd, &sink, &s->counts);
	return change_file_end(ch, err);
}
