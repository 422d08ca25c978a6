/* SPDX-License-Identifier: ISC
 *
 * When the certificates of the configuration end: for `status`, and as an
 * alarm before one does. The main thread.
 */
#ifndef RELAY_WATCH_CERTIFICATES_H
#define RELAY_WATCH_CERTIFICATES_H

#include "relay/base/jout.h"
#include "relay/daemon/app.h"

struct certificates;

/* Reads the files of the snapshot; alarms are raised for those that end
 * within alarm.certificate, now and once a day. One that cannot be read is
 * left out: the contexts were made of it, or there would be no snapshot. */
struct certificates *certificates_new(struct app *a);
/* Another snapshot: reads and looks again. */
void certificates_configure(struct certificates *c, const struct conf *conf);
void certificates_free(struct certificates *c); /* NULL is fine */

unsigned certificates_count(const struct certificates *c); /* NULL: 0 */
/* "used_by", "file", "names", "expires", "days_left", "state" of the i-th. */
void certificates_print(const struct certificates *c, unsigned i,
    struct jout *j);

/* What is wrong at `now_us`, with the remedy, into out; false: nothing. */
bool certificate_alarm(int64_t until_s, int64_t now_us, int64_t before_ms,
    const char *used_by, bool renewed, struct strbuf *out);

#endif
