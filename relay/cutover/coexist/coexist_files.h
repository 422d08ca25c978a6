/* SPDX-License-Identifier: ISC
 *
 * Keeps the files of the section `coexist` up to date: writes each anew after
 * a change of the table, then runs hook.on_export (doc/coexist.md). A thread
 * of its own, which reads the table and waits for the disk.
 */
#ifndef RELAY_CUTOVER_COEXIST_COEXIST_FILES_H
#define RELAY_CUTOVER_COEXIST_COEXIST_FILES_H

#include "relay/post/conf_snapshot.h"
#include "relay/post/shared.h"

struct alarms;
struct coexist_files;
struct spawner;

struct coexist_config {
	struct shared *shared;
	struct alarms *alarms;
	struct spawner *spawner; /* or NULL */
	struct conf_snapshot *snapshot; /* counted; its sections count */
};

struct coexist_files *coexist_files_new(const struct coexist_config *c);
/* Starts the thread, if there is a file. */
int coexist_files_run(struct coexist_files *k, struct error *err) PH_CHECK;
/* The legs may be others: all is written anew. Any thread. */
void coexist_files_configure(struct coexist_files *k,
    struct conf_snapshot *s);
/* Does all that is due; ms until the next call. Its thread, or a test. */
int coexist_files_step(struct coexist_files *k);
/* NULL is fine, here and below. */
void coexist_files_stop(struct coexist_files *k);
void coexist_files_free(struct coexist_files *k);

#endif
