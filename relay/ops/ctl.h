/* SPDX-License-Identifier: ISC
 *
 * The control socket: one JSON request a line, answered by rows and an end
 * line. The peer's uid is the identity (SO_PEERCRED): root, our own uid, and
 * those of the socket's group. Server side on a loop, client side blocking
 * for the command line. A connection may ask again after the end line; a
 * client that closes its sending side has gone.
 *
 *   {"command":"queue.list","args":{"leg":"cloud"},"claim":"ann(1000)"}
 *   {"row":{…}}  …  {"end":{"exit":0,"error":""}}
 *
 * A command that takes more than a line asks for each further one, so neither
 * side runs ahead of the other: the daemon says {"more":true}, the client sends
 * an object.
 */
#ifndef RELAY_OPS_CTL_H
#define RELAY_OPS_CTL_H

#include <jansson.h>

#include "relay/base/error.h"
#include "relay/base/jout.h"
#include "relay/base/loop.h"

enum {
	CTL_REQUEST_MAX = 1 << 20,
	CTL_ROW_MAX = 1 << 20,
	CTL_PEERS_MAX = 16,	   /* connections at once                */
	CTL_IDLE_MS = 2000,	   /* a place is kept without a request  */
	CTL_OUTPUT_HIGH = 1 << 20, /* ctl_busy() from here on            */
	CTL_OUTPUT_MAX = 64 << 20, /* who reads so slowly is cut off     */
};

/* ---- server ---- */

struct ctl;
struct ctl_request; /* lives until ctl_end() */
typedef void (*ctl_more_fn)(void *arg, const json_t *line);

struct ctl_command {
	const char *name;
	/* Answers by rows and one ctl_end(), now or later. */
	void (*run)(void *arg, struct ctl_request *r, const json_t *args);
};

/* `table` ends with a row without a name. A socket that a dead daemon left is
 * replaced; one that answers is an error. The directory must exist. */
struct ctl *ctl_open(struct loop *l, const char *path,
    const struct ctl_command *table, void *arg, struct error *err) PH_CHECK;
/* Open requests are gone from here on, and still want their ctl_end(). */
void ctl_close(struct ctl *c);
/* A row: an object is begun in the returned writer; ctl_row_end() sends. */
struct jout *ctl_row(struct ctl_request *r);
void ctl_row_end(struct ctl_request *r);
void ctl_row_text(struct ctl_request *r, struct slice jout_object);
/* Much output waits for the client: a long answer pauses here, and `fn` is
 * called once, later, when it has drained or the client went away. */
bool ctl_busy(const struct ctl_request *r);
void ctl_on_drain(struct ctl_request *r, void (*fn)(void *arg), void *arg);
/* Asks the client for a further line: `fn` is called once, later, with the
 * object (borrowed); with NULL when the client went away or sent none. */
void ctl_more(struct ctl_request *r, ctl_more_fn fn, void *arg);
/* `fmt` NULL: no error text. Ends `r`. */
void ctl_end(struct ctl_request *r, int exit_code, const char *fmt, ...)
    PH_PRINTF(3, 4);
/* Ends the connection in the midst of an answer; ctl_end() is still due. */
void ctl_cut(struct ctl_request *r);
/* The peer, as who_peer() and who_claims() say it. */
const char *ctl_who(const struct ctl_request *r);
/* The client went away: rows go nowhere, ctl_end() is still due. */
bool ctl_gone(const struct ctl_request *r);

/* ---- client ---- */

struct ctl_question {
	const char *path, *command;
	json_t *args; /* taken; NULL: none */
	void (*row)(void *arg, json_t *row); /* borrowed */
	void *arg;
	/* The next line of one that takes several, each time it is asked for;
	 * NULL gives up. May be NULL. */
	json_t *(*more)(void *arg);
};
/* Calls `row` for each row. Returns the exit code of the end line, its text in
 * `err` ("" when there is none); 3 and `err` when no daemon answers at `path`;
 * 1 and `err` when it may not be asked or goes away before the end; 1 and ""
 * when `more` gave up. */
int ctl_call(const struct ctl_question *q, struct error *err);

#endif
