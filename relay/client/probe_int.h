/* SPDX-License-Identifier: ISC
 *
 * What the files of the probe share.
 */
#ifndef RELAY_CLIENT_PROBE_INT_H
#define RELAY_CLIENT_PROBE_INT_H

#include "relay/client/client_int.h"

/* One connection of a probe. */
struct look {
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

/* probe.c */
const struct client_probe *probe_job(const struct look *k);
/* Says a line and waits for the answer; `verb` NULL: what is in the stream's
 * buffer already. */
void probe_enter(struct look *k, enum stage stage, const char *verb,
    const char *arg);
void probe_end_look(struct look *k, const char *problem);
/* The text of the reply, its lines put into one. */
const char *probe_reply(const struct look *k);

/* probe_try.c: a transaction without content, from the login to RSET. It is
 * begun after the last EHLO and takes the replies from then on. */
void probe_try(struct look *k);
void probe_try_reply(struct look *k);

/* What stops mail by what was seen up to the last EHLO, or NULL. Pure. */
const char *probe_stops(const struct client_probe *job,
    const struct probe_row *r);
/* A sentence in the job's arena. */
const char *probe_say(const struct client_probe *job, const char *fmt, ...)
    PH_PRINTF(2, 3);
/* What was seen, against what the leg's configuration asks for: fills
 * `problem`, unless one is there, and `note`. Pure. */
void probe_judge(const struct client_probe *job, struct probe_row *r);

#endif
