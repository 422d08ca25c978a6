/* SPDX-License-Identifier: ISC
 *
 * Is it that user? Names and passwords of AUTH are compared with the hashes of
 * outbound.users (crypt(5)). A hash takes milliseconds on purpose, so two
 * threads of the lowest priority (SCHED_IDLE) compute them, and 64 wait; they
 * are started by the first login. An unknown name is hashed like a known one.
 * Passwords are overwritten when they were compared. Any thread may ask.
 */
#ifndef RELAY_LOGIN_LOGINS_H
#define RELAY_LOGIN_LOGINS_H

#include "conf/conf.h"
#include "relay/base/clock.h"
#include "relay/base/list.h"
#include "relay/base/mailbox.h"
#include "relay/base/rng.h"
#include "relay/login/throttle.h"
#include "relay/mail/sasl.h"
#include "relay/net/sockaddr.h"

enum {
	LOGIN_THREADS = 2,
	LOGINS_WAITING = 64,
	LOGIN_PASSWORD_MAX = 511, /* CRYPT_MAX_PASSPHRASE_SIZE, without NUL */
};

enum login_verdict {
	LOGIN_RIGHT,
	LOGIN_WRONG,
	LOGIN_BLOCKED, /* too many failures; not looked at */
	LOGIN_BUSY,    /* too many wait; not looked at     */
	LOGIN_LATER,   /* a letter comes                   */
};

struct logins;

struct login_ask {
	const struct conf *conf;
	const struct netaddr *client;
	const struct credentials *said;
	struct mailbox *back; /* gets the job, as a letter of `kind` */
	int kind;
	void *asker;
};

/* The letter. The asker's thread alone looks at `asker` and `node`; it may set
 * `asker` to NULL. The rest is for logins.c. */
struct login_job {
	struct letter letter;
	struct list node; /* of the asker's; removed by logins_finish() */
	void *asker;
	enum login_verdict verdict;
	struct mailbox *back;
	struct login_who who;
	struct login_job *next;
	int thread; /* that has it; -1: none */
	bool known; /* there is such a user  */
	char *name, *hash, *password;
};

struct logins *logins_new(const struct clock *clock, struct rng *rng);
/* Ends the threads; what waits is posted as LOGIN_BUSY. Twice is fine. */
void logins_stop(struct logins *l); /* NULL is fine */
void logins_free(struct logins *l); /* NULL is fine */

/* `*job_out` with LOGIN_LATER, else NULL: posted to `back` exactly once, and
 * given to logins_finish() there. */
enum login_verdict logins_ask(struct logins *l, const struct login_ask *q,
    struct login_job **job_out);
/* Takes the letter; the next that waits is begun. */
enum login_verdict logins_finish(struct logins *l, struct login_job *j);

#endif
