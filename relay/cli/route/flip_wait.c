/* SPDX-License-Identifier: ISC
 *
 * Waits until nothing of before a change is under way.
 */
#include "relay/cli/route/flip_wait.h"

#include "relay/cli/table/cli_table.h"
#include "relay/ops/ctl.h"

enum { WAIT_BYTES = CTL_REQUEST_MAX / 2 };

/* The recipients to wait for: those of a change. None: all. */
struct waited {
	json_t *addresses;
	size_t bytes;
	bool everybody; /* too many to name, or a whole domain */
};

static void add_waited(void *arg, struct slice key,
    const struct table_value *before, const struct table_value *after)
{
	struct waited *w = arg;

	(void)before;
	(void)after;
	w->bytes += key.n + 4;
	if (key.p[0] == '@' || w->bytes > WAIT_BYTES)
		w->everybody = true;
	if (!w->everybody)
		json_array_append_new(w->addresses,
		    json_stringn_nocheck(key.p, key.n));
}

static int list_waited(struct cli *c, uint64_t *change, struct waited *w)
{
	struct table *t = cli_table(c);
	struct error err = {0};
	int rc = 0;

	if (t == NULL)
		return CLI_NO;
	w->everybody = *change == 0;
	if (*change != 0)
		rc = table_change_rows(t, *change, add_waited, w, &err);
	else
		*change = (uint64_t)table_change(t, &err);
	table_close(t);
	return rc < 0 ? cli_fail(c, "%s", err.text) : CLI_DONE;
}

int flip_wait(struct cli *c, uint64_t change)
{
	struct waited w = {.addresses = json_array()};
	json_t *args = json_object();
	int code = list_waited(c, &change, &w);

	json_object_set_new(args, "change",
	    json_integer((json_int_t)change));
	if (c->timeout_ms > 0)
		json_object_set_new(args, "timeout_ms",
		    json_integer((json_int_t)c->timeout_ms));
	if (w.everybody)
		json_decref(w.addresses);
	else
		json_object_set_new(args, "addresses", w.addresses);
	if (code == CLI_DONE)
		return cli_call(c, "route.wait", args, NULL, NULL);
	json_decref(args);
	return code;
}

int flip_can_wait(struct cli *c)
{
	return cli_call(c, "route.wait",
	    json_pack("{s:i, s:[]}", "change", 0, "addresses"), NULL, NULL);
}
