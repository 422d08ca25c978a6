/* SPDX-License-Identifier: ISC
 *
 * Reports of attempts about a leg, for tests of the legs.
 */
#ifndef TESTS_UNIT_LEGS_FIX_H
#define TESTS_UNIT_LEGS_FIX_H

#include "relay/settle/leg_health.h"
#include "tests/unit/daemon_rig.h"

/* A message to user0, or user<n>, that goes to the leg legacy. */
uint64_t legf_mail_to(struct drig *r, unsigned user);
uint64_t legf_mail(struct drig *r);
struct result legf_said(enum reply_class class, enum outcome outcome);
void legf_answer(struct drig *r, enum reply_class class,
    enum outcome outcome);
void legf_fault_at(struct drig *r, uint64_t sender, enum stage stage);
void legf_fault(struct drig *r, uint64_t sender);
void legf_deliver(struct drig *r);
bool legf_suspended(const struct drig *r);
void legf_fact(struct drig *r, struct strbuf *out);

#endif
