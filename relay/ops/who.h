/* SPDX-License-Identifier: ISC
 *
 * Says which user a command is run by, for the history of the table and the
 * audit trail: the login uid, which the kernel keeps through su and sudo, the
 * uid itself, and the name that sudo gives, which is an environment variable
 * and therefore only a claim.
 *
 *   ann(1000)                               a user's own command
 *   ann(1000) as root(0), sudo says ann     behind sudo
 *   root(0), no login                       a timer, a service
 *   root(0), login unknown                  the login uid cannot be read
 *   root(0), login unknown, claims ann(1000) as root(0)
 *                                           … and what the client says of it
 */
#ifndef RELAY_OPS_WHO_H
#define RELAY_OPS_WHO_H

#include <sys/socket.h>
#include <sys/types.h>

#include "relay/base/strbuf.h"

enum { WHO_TEXT = 512 }; /* bytes of the longest text, with its final NUL */

enum who_login { WHO_LOGIN_UNKNOWN, WHO_LOGIN_NONE, WHO_LOGIN_KNOWN };

struct who {
	uid_t uid;
	enum who_login logged_in;
	uid_t login;	  /* WHO_LOGIN_KNOWN */
	const char *sudo; /* as claimed; NULL: no claim */
};

/* The login uid in the text of a loginuid file: digits, with or without a line
 * end; 4294967295 is no login. Pure. */
enum who_login who_parse_login(struct slice text, uid_t *login_out);
/* The text above. Names are looked up; a uid without one is its number alone.
 * The name that sudo claims is cut at 64 bytes, and each byte of it that is not
 * printable ASCII becomes '?'. Any thread. */
void who_text(const struct who *w, char out[WHO_TEXT]);

/* This process. */
void who_self(char out[WHO_TEXT]);
/* The process that connected the socket `fd`, whose credentials are `cred`.
 * Its login uid is read only where the kernel gives a descriptor of that
 * process (SO_PEERPIDFD, Linux 6.5): the process is alive after the file was
 * read, so the number was still its own and no later process's. ProtectProc= of
 * the service hides other users' processes: then it is unknown. */
void who_peer(int fd, const struct ucred *cred, char out[WHO_TEXT]);
/* `peer` of who_peer(), with the client's own who_self() behind it where the
 * login uid is unknown; NULL: it says nothing. Pure. */
void who_claims(const char *peer, const char *claim, char out[WHO_TEXT]);

#endif
