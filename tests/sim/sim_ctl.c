/* SPDX-License-Identifier: ISC
 *
 * relay/ops/ctl.h without a socket: linked instead of ctl.c. The
 * administrator's request runs on the daemon's ops loop, as it does there.
 */
#include "relay/ops/ctl.h"

#include <stdarg.h>
#include <stdio.h>

#include "relay/base/mem.h"
#include "tests/sim/sim_admin.h"
#include "tests/sim/sim_task.h"
#include "tests/sim/sim_trace.h"

enum { ROWS_MAX = 8 << 20 };

struct ctl {
	struct loop *loop;
	const struct ctl_command *table;
	void *arg;
};

struct ctl_request {
	struct ctl *ctl;
	const struct ctl_command *command;
	json_t *args;
	struct defer begin;
	struct strbuf rows;
	struct jout jout;
	struct task *asks;
	bool open, gone;
	ctl_more_fn more;
	void *more_arg;
	struct defer later;
	int exit_code;
	char error[300];
};

static char last_error[300];
static struct ctl *ctl_now; /* NULL: no daemon */
static struct ctl_request *asked;
static const char *const *further; /* lines to come, then NULL */

struct ctl *ctl_open(struct loop *l, const char *path,
    const struct ctl_command *table, void *arg, struct error *err)
{
	struct ctl *c = NEW(struct ctl);

	(void)path;
	(void)err;
	*c = (struct ctl){.loop = l, .table = table, .arg = arg};
	ctl_now = c;
	return c;
}

void ctl_close(struct ctl *c)
{
	if (c == NULL)
		return;
	if (asked != NULL)
		asked->gone = true;
	if (asked != NULL && defer_pending(&asked->begin)) {
		defer_cancel(&asked->begin); /* it did not begin */
		ctl_end(asked, -1, "gone");
	}
	ctl_now = NULL;
	mem_free(c);
}

struct jout *ctl_row(struct ctl_request *r)
{
	jout_init(&r->jout, &r->rows);
	jout_object(&r->jout, NULL);
	return &r->jout;
}

void ctl_row_end(struct ctl_request *r)
{
	jout_object_end(&r->jout);
	strbuf_addc(&r->rows, '\n');
}

void ctl_row_text(struct ctl_request *r, struct slice jout_object_text)
{
	strbuf_addsl(&r->rows, jout_object_text);
	strbuf_addc(&r->rows, '\n');
}

bool ctl_busy(const struct ctl_request *r)
{
	(void)r;
	return false;
}

void ctl_on_drain(struct ctl_request *r, void (*fn)(void *arg), void *arg)
{
	(void)r;
	fn(arg);
}

static void on_more(void *arg)
{
	struct ctl_request *r = arg;
	json_t *line = NULL;

	if (*further != NULL && !r->gone)
		line = json_loads(*further++, 0, NULL);
	r->more(r->more_arg, line);
	json_decref(line);
}

/* This client sends one line, unless sim_ctl_further() gave it others. */
void ctl_more(struct ctl_request *r, ctl_more_fn fn, void *arg)
{
	if (further == NULL || r->gone) {
		fn(arg, NULL);
		return;
	}
	r->more = fn;
	r->more_arg = arg;
	defer_init(&r->later, on_more, r);
	loop_defer(r->ctl->loop, &r->later);
}

void sim_ctl_further(const char *const *lines)
{
	further = lines;
}

void ctl_end(struct ctl_request *r, int exit_code, const char *fmt, ...)
{
	va_list ap;

	if (!r->open)
		sim_fail("a control request was ended twice");
	r->open = false;
	r->exit_code = exit_code;
	if (fmt != NULL) {
		va_start(ap, fmt);
		vsnprintf(r->error, sizeof(r->error), fmt, ap);
		va_end(ap);
	}
	task_wake(r->asks);
}

void ctl_cut(struct ctl_request *r)
{
	r->gone = true;
}

const char *ctl_who(const struct ctl_request *r)
{
	(void)r;
	return "admin";
}

bool ctl_gone(const struct ctl_request *r)
{
	return r->gone;
}

/* ---- the client ---- */

static void begin(void *arg)
{
	struct ctl_request *r = arg;

	r->command->run(r->ctl->arg, r, r->args);
}

static const struct ctl_command *command_of(const char *name)
{
	const struct ctl_command *c = ctl_now == NULL ? NULL : ctl_now->table;

	for (; c != NULL && c->name != NULL; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

void sim_ctl_kill(void)
{
	if (asked != NULL) {
		asked->open = false;
		asked->exit_code = -1;
		task_wake(asked->asks);
	}
	ctl_now = NULL;
}

int sim_ctl(const char *command, json_t *args, struct strbuf *rows_out)
{
	struct ctl_request *r = NEW(struct ctl_request);
	int code;

	*r = (struct ctl_request){.ctl = ctl_now, .args = args, .open = true,
	    .command = command_of(command), .asks = task_self()};
	strbuf_init(&r->rows, ROWS_MAX);
	if (r->command == NULL)
		return -1;
	asked = r;
	defer_init(&r->begin, begin, r);
	loop_defer(ctl_now->loop, &r->begin);
	while (r->open)
		task_wait_until(INT64_MAX);
	asked = NULL;
	code = r->exit_code;
	trace_line("control %s: %d %s", command, code, r->error);
	snprintf(last_error, sizeof(last_error), "%s", r->error);
	if (rows_out != NULL)
		strbuf_addsl(rows_out, strbuf_view(&r->rows));
	strbuf_fini(&r->rows);
	json_decref(args);
	return code; /* the request itself may still be in a hand */
}

const char *sim_ctl_error(void)
{
	return last_error;
}
