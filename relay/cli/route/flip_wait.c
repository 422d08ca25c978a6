/* SPDX-License-Identifier: ISC
 *
 * Waits until nothing of before a change is under way.
 */
#include "relay/cli/route/flip_wait.h"

#include "relay/cli/table/cli_table.h"

/* Nothing was changed: the newest change, whatever it was. */
static int newest(struct cli *c, uint64_t *change_out)
{
	struct table *t = cli_table(c);
	struct error err = {0};
	int64_t n;

	if (t == NULL)
		return CLI_NO;
	n = table_change(t, &err);
	table_close(t);
	if (n < 0)
		return cli_fail(c, "%s", err.text);
	*change_out = (uint64_t)n;
	return CLI_DONE;
}

int flip_wait(struct cli *c, uint64_t change)
{
	bool all = change == 0;
	json_t *args;

	if (all && newest(c, &change) != CLI_DONE)
		return CLI_NO;
	args = json_pack("{s:I, s:b}", "change", (json_int_t)change, "all",
	    all);
	if (c->timeout_ms > 0)
		json_object_set_new(args, "timeout_ms",
		    json_integer((json_int_t)c->timeout_ms));
	return cli_call(c, "route.wait", args, NULL, NULL);
}

int flip_can_wait(struct cli *c)
{
	return cli_call(c, "route.wait", json_pack("{s:i}", "change", 0), NULL,
	    NULL);
}
