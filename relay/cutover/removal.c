/* SPDX-License-Identifier: ISC
 *
 * Refuses a configuration without a leg or a domain that is still in use.
 */
#include "relay/cutover/removal.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "policy/table.h"

struct first {
	const struct conf *c;
	struct error *err;
	bool said;
};

/* The first is told; -t tells all. */
static void on_gone(void *arg, bool leg, const char *name, uint64_t rows)
{
	struct first *f = arg;
	struct strbuf text;

	if (f->said)
		return;
	f->said = true;
	strbuf_init(&text, sizeof(f->err->text));
	table_gone_text(leg, name, rows, &text);
	error_set(f->err, "%s:1: %s", f->c->file, strbuf_cstr(&text));
	strbuf_fini(&text);
}

int removal_check_table(const struct conf *c, struct error *err)
{
	struct first f = {.c = c, .err = err};
	struct error unread;
	struct stat st;

	if (stat(c->table.path, &st) < 0 || st.st_size == 0)
		return 0;
	/* Why it cannot be read is reported where it is opened for use. */
	return table_gone(c->table.path, c, on_gone, &f, &unread) > 0 ? -1 : 0;
}

static uint64_t waiting(const struct spool_stats *s, int leg)
{
	const uint64_t *t = s->leg[leg].total;

	return t[T_CREATED] - t[T_DELIVERED] - t[T_BOUNCED] -
	       t[T_SUPERSEDED] - t[T_DELETED];
}

int removal_check_spool(const struct conf *old, const struct conf *fresh,
    struct spool *spool, struct error *err)
{
	struct spool_stats s;

	spool_stats(spool, &s);
	for (int i = 0; i < old->legs; i++) {
		uint64_t n = waiting(&s, old->leg[i].id);

		if (conf_leg_by_id(fresh, old->leg[i].id) != NULL || n == 0)
			continue;
		return error_set(err, "%s:1: the configuration has no leg "
		    "\"%s\" any more, but %" PRIu64 " %s open or parked for "
		    "it; add it again, or end %s first: posthouse queue list "
		    "--leg %s", fresh->file, old->leg[i].name, n,
		    n == 1 ? "delivery is" : "deliveries are",
		    n == 1 ? "it" : "them", old->leg[i].name);
	}
	return 0;
}
