/* SPDX-License-Identifier: ISC
 *
 * Asking the daemon: the client side of the control socket.
 */
#include "relay/cli/common/salvage.h"
#include "relay/cli/common/cli.h"
#include "relay/ops/ctl.h"

static void show_row(void *arg, json_t *row)
{
	out_row_json(arg, row);
}

/* The running daemon goes by what it read before, so a broken file on disk is
 * no reason not to ask it. */
static int ask_in_spite(struct cli *c, struct ctl_question *q,
    struct error *err)
{
	struct strbuf socket;
	int exit_code;

	strbuf_init(&socket, 4096);
	conf_salvage_socket(c->conf_file, &socket);
	q->path = strbuf_cstr(&socket);
	exit_code = ctl_call(q, err);
	strbuf_fini(&socket);
	if (exit_code == CLI_NO_DAEMON) {
		*err = c->conf_fault;
	} else if (!c->conf_fault_said) {
		cli_fail(c, "%s (the daemon, which runs with what it read "
		    "before, answered all the same)", c->conf_fault.text);
		c->conf_fault_said = true;
	}
	return exit_code;
}

static int ask(struct cli *c, struct ctl_question *q, struct error *err)
{
	struct conf *conf = cli_conf_try(c);

	if (conf == NULL)
		return ask_in_spite(c, q, err);
	q->path = conf->control.socket;
	return ctl_call(q, err);
}

static int call(struct cli *c, struct ctl_question *q, const char *about,
    bool if_running)
{
	struct error err = {0};
	int exit_code = ask(c, q, &err);

	if (exit_code == CLI_NO_DAEMON && if_running)
		return exit_code;
	if (err.text[0] != '\0')
		cli_fail(c, "%s%s%s", about, about[0] == '\0' ? "" : ": ",
		    err.text);
	/* The file on disk is what must be mended first. */
	if (exit_code == CLI_NO_DAEMON && c->conf == NULL)
		exit_code = CLI_NO;
	return exit_code;
}

int cli_call(struct cli *c, const char *command, json_t *args,
    void (*row)(void *arg, json_t *row), void *arg)
{
	struct ctl_question q = {NULL, command, args,
	    row != NULL ? row : show_row, row != NULL ? arg : &c->out, NULL};

	return call(c, &q, "", false);
}

int cli_converse(struct cli *c, const struct cli_talk *t)
{
	struct ctl_question q = {NULL, t->command, t->args, t->row, t->arg,
	    t->more};

	return call(c, &q, t->about, t->if_running);
}

int cli_call_if_running(struct cli *c, const char *command, json_t *args,
    void (*row)(void *arg, json_t *row), void *arg)
{
	struct ctl_question q = {NULL, command, args, row, arg, NULL};
	struct error err = {0};
	int exit_code = ask(c, &q, &err);

	if (exit_code != CLI_NO_DAEMON && err.text[0] != '\0')
		cli_fail(c, "%s", err.text);
	return exit_code;
}

void cli_append_row(void *arg, json_t *row)
{
	json_array_append(arg, row);
}
