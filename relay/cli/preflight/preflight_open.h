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

/* Has the daemon ask (preflight.start; takes `args`), and waits for the end:
 * CLI_DONE and the number, or what was said. */
int preflight_follow(struct cli *c, json_t *args, int64_t *number_out);
/* CLI_DONE, or what was said. End with preflight_close(). */
int preflight_read(struct cli *c, const struct asking_which *which,
    struct preflight_open *out);
void preflight_close(struct preflight_open *p);
/* When it was, and why it ended early. */
void preflight_say_asking(const struct preflight_open *p);

/* The class that counts: that of the answer, beside the random name's. */
enum preflight_class preflight_row_class(const struct asked_row *row);
/* The fields code, enhanced and reply. */
void preflight_put_reply(struct jout *j, const struct asked_row *row);

#endif
