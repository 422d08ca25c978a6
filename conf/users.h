/* SPDX-License-Identifier: ISC
 *
 * The file of those who may log in (outbound.users), a line each:
 *
 *	name:hash:senders
 *
 * Pure; any thread.
 */
#ifndef CONF_USERS_H
#define CONF_USERS_H

#include "conf/conf.h"
#include "relay/base/mem.h"

enum {
	USERS_MAX = 20000,
	USERS_BYTES = 4 << 20,	 /* of the file */
	USER_NAME_MAX = 255,
	USER_HASH_MAX = 383,	 /* crypt(5): CRYPT_OUTPUT_SIZE, without NUL */
	USER_SENDERS_MAX = 100,
	USER_MEMORY_MAX = 128 << 20, /* of one login, bytes */
};

/* NULL, or why no password is kept by that hash: a constant sentence part
 * that stands behind "the hash". Those that are taken: yescrypt, bcrypt and
 * SHA-512 (crypt(5)), none of them cheaper than a guesser would like, and none
 * that takes all of a machine for one login. */
const char *user_hash_fault(struct slice hash) PH_CHECK;

/* NULL, or why it cannot be the name of a user. */
const char *user_name_fault(struct slice name) PH_CHECK;

/* Is it a sender that a line may name: an address, or a domain as "@domain"? */
bool user_sender_ok(struct slice text);

/* Reads `text`, of the file `path`; the users are sorted by name and live in
 * `a`. Empty lines and those that begin with # are passed over. 0, or -1 and
 * "PATH:LINE: what is wrong and what would be right". */
int users_parse(struct slice text, const char *path, struct arena *a,
    struct conf *c, struct error *err) PH_CHECK;

#endif
