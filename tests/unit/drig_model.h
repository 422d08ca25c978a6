/* SPDX-License-Identifier: ISC
 *
 * Recounts what the rig's journal says, record by record, and fails the test
 * at the first record that breaks a promise:
 *
 * - a result bears the number of a change only if the deliveries that the
 *   route of that change names exist by the end of its record (D1);
 * - a recipient has one delivery at least that is not superseded;
 * - a mark of (message, recipient, leg) is never lost: each later record of
 *   a delivery there, and each new delivery, has it (D8).
 */
#ifndef TESTS_UNIT_DRIG_MODEL_H
#define TESTS_UNIT_DRIG_MODEL_H

#include "tests/unit/daemon_rig.h"

struct drig_model;
struct drig_model *drig_model_new(struct drig *r);
void drig_model_free(struct drig_model *m);
/* Reads on, between the rig's steps. From a gap on (space was so short that
 * records were recycled unread) nothing is checked any more. */
void drig_model_read(struct drig_model *m);
/* Before the rig's spool is closed. */
void drig_model_pause(struct drig_model *m);
/* This row of a job was tried, and is reported now. */
void drig_model_flies(struct drig_model *m, const struct worker_job *j,
    unsigned row);
/* The rig is about to be killed: what is in a worker's hand, or came back
 * from it and is not synced, may have been sent. */
void drig_model_kill(struct drig_model *m);
/* Was the recipient delivered as primary? */
bool drig_model_served(const struct drig_model *m, uint64_t id, uint32_t rcpt);

#endif
