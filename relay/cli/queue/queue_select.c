/* SPDX-License-Identifier: ISC
 *
 * Reads which deliveries a command means, and shows a delivery as a row.
 */
#include "relay/cli/queue/queue_select.h"

#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/delivery.h"
#include "relay/cli/common/human.h"
#include "relay/cli/common/json_get.h"
#include "relay/cli/common/why_waits.h"

static bool add_age(struct cli *c, json_t *args)
{
	const char *age = cli_value(c, "age");
	int64_t us;

	if (age == NULL)
		return true;
	if (clock_duration(slice_str(age), &us) < 0) {
		cli_usage(c, "--age wants a time like 90s, 30m, 2h, 3d");
		return false;
	}
	json_object_set_new(args, "age_s",
	    json_integer((json_int_t)(us / 1000000)));
	return true;
}

/* The null sender is written <>. */
static const char *filter_value(const struct cli *c, const char *name)
{
	const char *given = cli_value(c, name);
	bool from = strcmp(name, "from") == 0;

	if (given == NULL || (!from && strcmp(name, "to") != 0))
		return given;
	if (from && given[0] != '\0' && cli_address(c, name)[0] == '\0')
		return "<>";
	return cli_address(c, name);
}

int queue_filters(struct cli *c, json_t *args)
{
	static const char *const names[] = {"leg", "to", "from", "state",
	    "customer"};
	const char *state = cli_value(c, "state");
	int n = cli_value(c, "age") != NULL;

	if (state != NULL && dstate_parse(slice_str(state)) < 0) {
		cli_usage(c, "there is no state %s: queued deferred held "
		    "frozen parked", state);
		return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = filter_value(c, names[i]);

		if (value == NULL)
			continue;
		if (value[0] == '\0') { /* an unset variable of a script */
			cli_usage(c, "--%s is empty, which would mean all of "
			    "them; leave it out, or say which", names[i]);
			return -1;
		}
		json_object_set_new(args, names[i], json_string(value));
		n++;
	}
	return add_age(c, args) ? n : -1;
}

int queue_choose(struct cli *c, json_t *args)
{
	json_t *ids = json_array();
	int n = queue_filters(c, args);

	for (int i = 0; i < c->args; i++)
		json_array_append_new(ids, json_string(c->arg[i]));
	json_object_set_new(args, "ids", ids);
	if (n < 0)
		return CLI_USAGE;
	if (n + c->args == 0)
		return cli_usage(c, "say which: ids, --leg, --to, --from, "
		    "--customer, --age or --state");
	return CLI_DONE;
}

static void add_text(json_t *row, const char *key, struct strbuf *text)
{
	json_object_set_new(row, key, json_string(strbuf_cstr(text)));
	strbuf_reset(text);
}

void queue_show_row(struct cli *c, json_t *row)
{
	const json_t *age = json_object_get(row, "age_s");
	const json_t *size = json_object_get(row, "size");
	const char *why;
	struct strbuf b;

	strbuf_init(&b, OUT_ROW_MAX); /* a leg's reply is any length */
	if (!c->json && json_is_integer(age)) {
		human_age(json_integer_value(age), &b);
		add_text(row, "age", &b);
	}
	if (!c->json && json_is_integer(size)) {
		human_bytes(json_integer_value(size), &b);
		add_text(row, "size_h", &b);
	}
	why = why_waits(json_text(row, "class"),
	    json_integer_value(json_object_get(row, "code")));
	if (!c->json && why != NULL && strcmp(json_text(row, "state"),
		dstate_text(D_DEFERRED)) == 0) {
		strbuf_addf(&b, "%s; waits: %s", json_text(row, "reason"), why);
		add_text(row, "reason", &b);
	}
	strbuf_fini(&b);
	out_row_json(&c->out, row);
}
