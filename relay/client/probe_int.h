/* SPDX-License-Identifier: ISC
 *
 * Shared by the files of the probe.
 */
#ifndef RELAY_CLIENT_PROBE_INT_H
#define RELAY_CLIENT_PROBE_INT_H

#include "relay/client/client_int.h"

/* One connection of a probe. */
struct probe_look {
	struct probe *probe;
	struct probe_row *row;
	struct hop hop;
	struct stream *stream;
	struct defer later; /* what must not run inside input() */
	struct defer again; /* the same address without TLS */
	struct reply_parser reply;
	enum stage stage;
	bool in_tls;
	bool in_clear; /* TLS failed and is not asked for again */
	struct login login;
	int64_t since_ms; /* of this stage */
};

struct probe {
	struct list node;
	struct client *client;
	struct client_probe *job;
	struct client_request req; /* for the hosts */
	struct hops *hops;
	struct probe_look look[PROBE_ROWS];
	unsigned open;
	struct defer over; /* starts, and reports */
};

/* ---- probe_look.c: one connection ---- */

int64_t look_now_ms(const struct probe_look *k);
/* How long the leg may be silent at this stage. */
int64_t look_timeout(const struct probe_look *k);
void look_hang_up(struct probe_look *k);
/* Ends it without a word in its row; safe when it is over. */
void look_close(struct probe_look *k);
/* With tls = may what fails from STARTTLS on is no obstacle: mail goes on
 * without it, and so does the probe. A login never does. */
bool look_in_clear(struct probe_look *k, const char *problem);
const struct client_probe *probe_job(const struct probe_look *k);
/* Says a line and waits for the answer; `verb` NULL: what is in the stream's
 * buffer already. */
void probe_enter(struct probe_look *k, enum stage stage, const char *verb,
    const char *arg);
void probe_end_look(struct probe_look *k, const char *problem);
/* The text of the reply, its lines put into one. */
const char *probe_reply(const struct probe_look *k);

/* probe_try.c: a transaction without content, from the login to RSET. It is
 * begun after the last EHLO and takes the replies from then on. */
void probe_try(struct probe_look *k);
void probe_try_reply(struct probe_look *k);

/* The fault that stops mail, of those seen up to the last EHLO, or NULL.
 * Pure. */
const char *probe_stops(const struct client_probe *job,
    const struct probe_row *r);
/* A sentence in the job's arena. */
const char *probe_say(const struct client_probe *job, const char *fmt, ...)
    PH_PRINTF(2, 3);
/* Compares what was seen with the leg's configuration: fills `problem`, unless
 * one is there, and `note`. Pure. */
void probe_judge(const struct client_probe *job, struct probe_row *r);

#endif
