/* SPDX-License-Identifier: ISC
 *
 * Reads a delivery status notification of another server (RFC 3464), as far as
 * its first bytes tell. Pure; the input is hostile.
 */
#ifndef RELAY_MAIL_DSN_READ_H
#define RELAY_MAIL_DSN_READ_H

#include "relay/base/strbuf.h"

enum { DSN_ACTION = 16, DSN_STATUS = 16, DSN_ADDRESS = 256 };

struct dsn_said {
	char action[DSN_ACTION]; /* "failed", …; only those of the RFC; "" */
	char status[DSN_STATUS]; /* "5.1.1", "" */
	char address[DSN_ADDRESS]; /* of whom: Original-, else
				    * Final-Recipient, without its type; "" */
};

/* Of its first recipient. False: it is no such report, all are "". */
bool dsn_read(struct slice message, struct dsn_said *said_out);

#endif
