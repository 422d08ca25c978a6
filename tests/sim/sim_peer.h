/* SPDX-License-Identifier: ISC
 *
 * One end of a connection in the hand of a peer: calls that wait.
 */
#ifndef TESTS_SIM_SIM_PEER_H
#define TESTS_SIM_SIM_PEER_H

#include "relay/base/strbuf.h"
#include "tests/sim/sim_fd.h"

enum { PEER_LINE = 2000 };
#define PEER_WAIT_US INT64_C(900000000)

struct peer {
	int fd;
	bool lost; /* the other side is gone */
	struct strbuf in;
};

/* False: nothing listens there. */
bool peer_connect(struct peer *p, const char *from_ip, const char *to_ip);
void peer_take(struct peer *p, int fd);
/* One line without its end; false: the connection is over. */
bool peer_line(struct peer *p, char line[PEER_LINE]);
/* Exactly n bytes, appended to `to`. */
bool peer_bytes(struct peer *p, size_t n, struct strbuf *to);
/* All of it; false: the connection is over. */
bool peer_say(struct peer *p, struct slice bytes);
bool peer_sayf(struct peer *p, const char *fmt, ...) PH_PRINTF(2, 3);
void peer_close(struct peer *p, bool reset);

#endif
