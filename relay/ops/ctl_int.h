/* SPDX-License-Identifier: ISC
 *
 * Shared by ctl.c (connections, requests) and ctl_listen.c (the socket).
 */
#ifndef RELAY_OPS_CTL_INT_H
#define RELAY_OPS_CTL_INT_H

#include "relay/base/list.h"
#include "relay/ops/ctl.h"
#include "relay/ops/who.h"

struct ctl {
	struct loop *loop;
	const struct ctl_command *table;
	void *arg;
	char *path;
	struct io io;
	struct timer pause; /* no descriptors left: try again later */
	struct list conns;
	unsigned count;
	gid_t group; /* of the socket */
	int fd;
};

struct ctl_request {
	struct conn *conn;
	struct strbuf row;
	struct jout jout;
	void (*drain)(void *arg);
	void *drain_arg;
	ctl_more_fn more;
	void *more_arg;
	bool open, too_long;
};

struct conn {
	struct list node;
	struct ctl *ctl; /* NULL when the socket was closed */
	struct io io;
	struct defer work; /* flush, then the next line */
	struct strbuf in, out;
	size_t scanned; /* of `in`: no line end before here */
	struct ctl_request request;
	int64_t idle_ms; /* since when no request is open */
	char peer[WHO_TEXT]; /* who_peer() */
	char who[WHO_TEXT];  /* of the request at hand, with its claim */
	int fd; /* -1: the client went away */
	bool last; /* nothing more is read: close when the output is out */
};

/* A connection on an accepted socket; `peer` is left to the caller. */
struct conn *ctl_conn_new(struct ctl *ctl, int fd);
/* Only from the loop or with no request open. */
void ctl_conn_free(struct conn *c);
/* The socket closes: one with an open request lives on until ctl_end(). */
void ctl_conn_end(struct conn *c);

#endif
