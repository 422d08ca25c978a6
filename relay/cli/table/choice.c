/* SPDX-License-Identifier: ISC
 *
 * Reads which rows a command means, and stages them in a change.
 */
#include "relay/cli/table/choice.h"

#include <unistd.h>

#include "policy/wave/file/wave_make.h"
#include "relay/base/mem.h"
#include "relay/cli/table/cli_change.h"
#include "relay/cli/table/cli_table.h"

/* The domain of --all; NULL: none. Where it is a flag it means something else.
 */
static const char *all_of(const struct cli *c)
{
	const char *all = cli_value(c, "all");

	return all == NULL || all[0] == '\0' ? NULL : all;
}

static int count_ways(const struct cli *c, int first)
{
	return (c->args > first) + cli_flag(c, "tag") + cli_flag(c, "where") +
	       cli_flag(c, "file") + cli_flag(c, "wave") +
	       (all_of(c) != NULL);
}

static int narrow(struct cli *c, struct choice *choice)
{
	const char *customer = cli_value(c, "customer");
	struct error err;

	if (customer == NULL)
		return CLI_DONE;
	if (!cli_customer(c, customer))
		return CLI_NO;
	if (where_narrow(choice->where, WHERE_CUSTOMER, slice_str(customer),
		&err) < 0)
		return cli_usage(c, "%s", err.text);
	return CLI_DONE;
}

static int read_where(struct cli *c, struct choice *choice)
{
	const char *tag = cli_value(c, "tag");
	const char *all = all_of(c);
	const char *where = cli_value(c, "where");
	struct error err = {0};

	if (tag != NULL)
		choice->where = where_equal(WHERE_TAG, slice_str(tag), &err);
	else if (all != NULL)
		choice->where = where_equal(WHERE_DOMAIN,
		    slice_str(all + (all[0] == '@')), &err);
	else
		choice->where = where_parse(slice_str(where), &err);
	if (choice->where == NULL)
		return cli_usage(c, "%s", err.text);
	return narrow(c, choice);
}

/* Files are opened before root becomes the table's owner. */
int choice_read(struct cli *c, int first, struct choice *choice)
{
	const char *file = cli_value(c, "file");

	*choice = (struct choice){.first = first, .fd = -1};
	if (count_ways(c, first) != 1)
		return cli_usage(c, "say which recipients in one way: "
		    "addresses, --file, --tag, --where, --wave or --all");
	if (cli_flag(c, "customer") && !cli_flag(c, "tag") &&
	    !cli_flag(c, "where"))
		return cli_usage(c, "--customer narrows --tag and --where");
	choice->wave = cli_value(c, "wave");
	if (choice->wave != NULL)
		return CLI_DONE;
	if (file != NULL) {
		choice->fd = cli_open_input(c, file);
		return choice->fd < 0 ? CLI_NO : CLI_DONE;
	}
	return c->args > first ? CLI_DONE : read_where(c, choice);
}

void choice_end(struct choice *choice)
{
	where_free(choice->where);
	if (choice->fd >= 0)
		close(choice->fd);
}

static int stage_list(struct cli *c, struct change *ch, int fd,
    const struct change_row *row, struct error *err)
{
	int rc;

	cli_watch_file(c, ch, cli_value(c, "file"), fd);
	rc = change_list(ch, fd, row, err);
	progress_clear(&c->bar);
	return rc;
}

/* Behind `not`, a mistyped word would select all. */
static void warn_of_tags(const struct cli *c, struct change *ch,
    const struct where *w)
{
	struct arena *a = arena_new();
	const char *tag = change_no_such_tag(ch, w, a);

	if (tag != NULL)
		cli_fail(c, "warning: no row has the tag %s", tag);
	arena_free(a);
}

int choice_stage(struct cli *c, struct change *ch,
    const struct choice *choice, const struct change_row *row)
{
	bool addresses = choice->where == NULL && choice->fd < 0 &&
			 choice->wave == NULL;
	const struct wave_stage members = {choice->wave, -1, row};
	struct error err = {0};
	int rc = 0;

	if (choice->where != NULL) {
		warn_of_tags(c, ch, choice->where);
		rc = change_where(ch, choice->where, row, &err);
	} else if (choice->wave != NULL) {
		rc = wave_stage(ch, &members, &err);
	} else if (choice->fd >= 0) {
		rc = stage_list(c, ch, choice->fd, row, &err);
	}
	for (int i = choice->first; addresses && i < c->args && rc == 0; i++)
		rc = change_set(ch, slice_str(c->arg[i]), row, &err);
	if (rc < 0)
		return cli_change_fail(c, ch, &err);
	if (change_staged(ch) == 0)
		return cli_fail(c, "no recipient is selected");
	return CLI_DONE;
}
