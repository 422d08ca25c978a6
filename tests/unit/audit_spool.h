/* SPDX-License-Identifier: ISC
 *
 * A true spool in the folder of an audit fixture, with its threads and the
 * projector's, and mail in several states in it.
 */
#ifndef TESTS_UNIT_AUDIT_SPOOL_H
#define TESTS_UNIT_AUDIT_SPOOL_H

#include "relay/base/id.h"
#include "tests/unit/auditfixture.h"

enum { SPOOL_MESSAGES = 40 };

struct audit_spool {
	struct fixture *f;
	struct spool *spool;
	struct mailbox in;
	struct id_maker ids;
	uint64_t id[SPOOL_MESSAGES];
	char path[64];
	unsigned owed; /* letters */
};

/* DIR/spool; not opened yet. */
void audit_spool_init(struct audit_spool *r, struct fixture *f);
void audit_spool_fini(struct audit_spool *r); /* the folder goes, too */
void audit_spool_start(struct audit_spool *r);
void audit_spool_stop(struct audit_spool *r);
/* Messages to cloud, half of them delivered and half deferred; of the latter
 * one bounced with a notice and one delivered later; and a refusal. */
void audit_spool_mail(struct audit_spool *r);

#endif
