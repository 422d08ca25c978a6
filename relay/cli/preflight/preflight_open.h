/* SPDX-License-Identifier: ISC
 *
 * An asking for the commands: begun and followed at the daemon, then read from
 * observed.db.
 */
#ifndef RELAY_CLI_PREFLIGHT_PREFLIGHT_OPEN_H
#define RELAY_CLI_PREFLIGHT_PREFLIGHT_OPEN_H

#include "policy/preflight/preflight.h"
#include "relay/cli/common/cli.h"
#include "relay/observed/asked.h"

/* An asking and where it is read from. */
struct preflight_open {
	struct cli *c;
	struct observed *o;
	struct asking asking;
};

/* Has the daemon ask (preflight.start; takes `args`) and waits for the end.
 * With `args` NULL reads the last answers from observed.db. Then calls
 * `report`. Returns the command's exit code. */
int preflight_show(struct cli *c, json_t *args, struct asking_which which,
    int (*report)(struct cli *c, const struct preflight_open *o));
/* When it was, and why it ended early. */
void preflight_say_asking(const struct preflight_open *p);

/* The class that counts: that of the answer, beside the random name's. */
enum preflight_class preflight_row_class(const struct asked_row *row);
/* The fields code, enhanced and reply. */
void preflight_put_reply(struct jout *j, const struct asked_row *row);

#endif
