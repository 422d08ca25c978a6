/* SPDX-License-Identifier: ISC
 *
 * Logins that were right a moment ago, so that a device which logs in for each
 * message is not hashed each time. Kept is a keyed hash under a key of this
 * process, never the password. The caller has the time (monotonic ms) and the
 * lock. What there is no room for is forgotten, the oldest first.
 */
#ifndef RELAY_LOGIN_LOGIN_MEMORY_H
#define RELAY_LOGIN_LOGIN_MEMORY_H

#include "relay/base/rng.h"
#include "relay/base/slice.h"

enum { LOGIN_MEMORY_MS = 5 * 60 * 1000 };

struct login_memory;

/* A login that was right: a user whose line changes is another one. */
struct login_proof {
	struct slice name, hash, password;
};

struct login_memory *login_memory_new(struct rng *rng);
void login_memory_free(struct login_memory *m); /* NULL is fine */
bool login_memory_has(const struct login_memory *m,
    const struct login_proof *p, int64_t now_ms);
void login_memory_put(struct login_memory *m, const struct login_proof *p,
    int64_t now_ms);

#endif
