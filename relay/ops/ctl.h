/* SPDX-License-Identifier: ISC
 *
 * The control socket: one JSON request a line, answered by rows and an end
 * line. The peer's uid is the identity (SO_PEERCRED): root, our own uid, and
 * those of the socket's group. Server side on a loop, client side blocking
 * for the command line.
 *
 *   {"command":"queue.list","args":{"leg":"cloud"}}
 *   {"row":{…}}  …  {"end":{"exit":0,"error":""}}
 */
#ifndef RELAY_OPS_CTL_H
#define RELAY_OPS_CTL_H

#include <jansson.h>

#include "relay/base/error.h"
#include "relay/base/jout.h"
#include "relay/base/loop.h"

enum { CTL_REQUEST_MAX = 1 << 20, CTL_ROW_MAX = 1 << 20 };

/* ---- server ----------------------------------------------------------- */

struct ctl;
struct ctl_request; /* lives until ctl_end() */

struct ctl_command {
	const char *name;
	/* Answers by rows and one ctl_end(), now or later. */
	void (*run)(void *arg, struct ctl_request *r, const json_t *args);
};

struct ctl *ctl_open(struct loop *l, const char *path,
    const struct ctl_command *table, void *arg, struct error *err) PH_CHECK;
void ctl_close(struct ctl *c);
/* A row: an object is begun in the returned writer; ctl_row_end() sends. */
struct jout *ctl_row(struct ctl_request *r);
void ctl_row_end(struct ctl_request *r);
void ctl_row_text(struct ctl_request *r, struct slice jout_object);
void ctl_end(struct ctl_request *r, int exit_code, const char *fmt, ...)
    PH_PRINTF(3, 4);
const char *ctl_who(const struct ctl_request *r); /* user name of the peer */
/* The client went away: rows go nowhere, ctl_end() is still due. */
bool ctl_gone(const struct ctl_request *r);

/* ---- client ----------------------------------------------------------- */

/* Calls `row` for each row. Returns the exit code of the end line; 3 and
 * `err` when no daemon answers at `path`. */
int ctl_call(const char *path, const char *command, json_t *args,
    void (*row)(void *arg, json_t *row), void *arg, struct error *err);

#endif
