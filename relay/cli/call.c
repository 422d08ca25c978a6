/* SPDX-License-Identifier: ISC
 *
 * Asking the daemon: the client side of the control socket.
 */
#include "relay/cli/cli.h"
#include "relay/ops/ctl.h"

static void show_row(void *arg, json_t *row)
{
	out_row_json(arg, row);
}

int cli_call(struct cli *c, const char *command, json_t *args,
    void (*row)(void *arg, json_t *row), void *arg)
{
	struct conf *conf = cli_conf(c);
	struct error err = {0};
	int exit_code;

	if (conf == NULL) {
		json_decref(args);
		return CLI_NO;
	}
	exit_code = ctl_call(conf->control.socket, command, args,
	    row != NULL ? row : show_row, row != NULL ? arg : &c->out, &err);
	if (err.text[0] != '\0')
		cli_fail(c, "%s", err.text);
	return exit_code;
}
