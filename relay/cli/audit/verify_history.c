/* SPDX-License-Identifier: ISC
 *
 * audit verify, the history of the cutover table: its chain, and whether each
 * line is the one that the audit index recorded when it was new.
 */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "policy/check/history.h"
#include "relay/audit/verify/recorded.h"
#include "relay/base/clock.h"
#include "relay/cli/audit/verify.h"
#include "relay/cli/common/json_get.h"
#include "relay/cli/table/cli_table.h"

struct comparing {
	struct verifying *v;
	struct history_view *history;
	struct error err; /* the table could not be read; "" */
};

/* The first one is named; those behind it differ too, as each line holds the
 * hash of the one before. */
static void tell_other(struct comparing *c, const char *what, uint64_t number,
    enum history_fit fit, int64_t time_us)
{
	char when[CLOCK_RFC3339_MAX];

	clock_rfc3339(time_us, when);
	if (c->v->others++ > 0)
		return;
	if (fit == HISTORY_GONE)
		cli_fail(c->v->c, "%s %" PRIu64 ", recorded %s, is not in the "
		    "table: it was taken out, or an older table was put "
		    "there", what, number, when);
	else
		cli_fail(c->v->c, "%s %" PRIu64 " is not as it was recorded "
		    "%s: it, or one before it, was written anew", what,
		    number, when);
}

static void compare(struct comparing *c, json_t *fields, int64_t time_us)
{
	const char *head = json_text(fields, "head");
	bool decided = json_object_get(fields, "decision") != NULL;
	const char *what = decided ? "decision" : "change";
	uint64_t number = (uint64_t)json_number(fields, what);
	enum history_fit fit;
	int rc;

	/* Earlier versions recorded none. */
	if (head[0] == '\0' || c->err.text[0] != '\0')
		return;
	rc = decided ? history_compare_decision(c->history, number, head,
			   &fit, &c->err)
		     : history_compare(c->history, number, head, &fit,
			   &c->err);
	if (rc < 0)
		return;
	c->v->recorded += !decided;
	if (fit == HISTORY_OTHER || fit == HISTORY_GONE)
		tell_other(c, what, number, fit, time_us);
}

static void on_recorded(void *arg, int64_t time_us, struct slice fields)
{
	struct comparing *c = arg;
	struct strbuf object;
	json_t *parsed;

	strbuf_init(&object, fields.n + 3);
	strbuf_addf(&object, "{");
	strbuf_addsl(&object, fields);
	strbuf_adds(&object, "}");
	parsed = json_loadb(object.p, object.n, 0, NULL);
	if (parsed != NULL)
		compare(c, parsed, time_us);
	json_decref(parsed);
	strbuf_fini(&object);
}

static void tell_fault(struct verifying *v, const struct chain_state *s)
{
	struct strbuf why;

	if (s->fault == CHAIN_WHOLE)
		return;
	strbuf_init(&why, 400);
	chain_fault_text(s, &why);
	cli_fail(v->c, "%s: the history is not as it was written: %s",
	    v->conf->table.path, strbuf_cstr(&why));
	strbuf_fini(&why);
}

static int unread(struct verifying *v, const struct error *err)
{
	v->history = "unread";
	return cli_fail(v->c, "the history of the table was not looked at: "
	    "%s", err->text);
}

static int with_history(struct verifying *v, struct history_view *h)
{
	struct comparing c = {.v = v, .history = h};
	struct chain_state state;
	struct error err = {0};
	int rc = history_verify(h, &state, &err);

	if (rc == 0)
		tell_fault(v, &state);
	if (rc == 0)
		rc = recorded_history(v->conf->audit.path, on_recorded, &c,
		    &err);
	if (rc < 0 || c.err.text[0] != '\0')
		return unread(v, rc < 0 ? &err : &c.err);
	v->lines = state.lines;
	v->decisions = state.decisions;
	v->history = state.fault == CHAIN_WHOLE && v->others == 0 ? "whole"
								   : "altered";
	return v->history[0] == 'w' ? CLI_DONE : CLI_NO;
}

/* Members of the control socket's group may not read the table: its history
 * is left out then, and that is no fault. */
static bool may_read(struct verifying *v, const char *path)
{
	if (access(path, R_OK) == 0)
		return true;
	if (errno != EACCES)
		return false; /* there is none yet */
	v->history = "unread";
	out_say(&v->c->out, "the history of the table was not looked at: "
	    "%s may not be read by this user", path);
	return false;
}

int verify_history(struct verifying *v)
{
	const char *path = cli_table_path(v->c);
	struct history_view *h;
	struct error err = {0};
	int code;

	v->history = "none";
	if (path == NULL)
		return CLI_NO;
	if (!may_read(v, path))
		return CLI_DONE;
	h = history_open(path, &err);
	if (h == NULL)
		return unread(v, &err);
	code = with_history(v, h);
	history_close(h);
	return code;
}
