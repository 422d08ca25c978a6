/* SPDX-License-Identifier: ISC
 *
 * When the certificates of the configuration end: for `status`, and as an
 * alarm before one does. The main thread.
 */
#ifndef RELAY_WATCH_CERTIFICATES_H
#define RELAY_WATCH_CERTIFICATES_H

#include "relay/base/jout.h"
#include "conf/conf.h"
#include "relay/base/loop.h"

struct alarms;
struct certificates;

/* Reads the files of the configuration. One that cannot be read is left out:
 * the TLS contexts were made of it, or there would be no snapshot. */
struct certificates *certificates_new(struct loop *l, const struct clock *clock,
    struct alarms *alarms, const struct conf *conf);
/* Raises alarms for those that end within alarm.certificate, now and once a
 * day. */
void certificates_watch(struct certificates *c);
/* Another configuration: reads and looks again. */
void certificates_configure(struct certificates *c, const struct conf *conf);
void certificates_free(struct certificates *c); /* NULL is fine */

unsigned certificates_count(const struct certificates *c); /* NULL: 0 */
/* "used_by", "file", "names", "expires", "days_left", "state" of the i-th. */
void certificates_print(const struct certificates *c, unsigned i,
    struct jout *j);

/* Writes what is wrong at `now_us`, with the remedy, into out; false:
 * nothing. */
bool certificate_alarm(int64_t until_s, int64_t now_us, int64_t before_ms,
    const char *used_by, bool renewed, struct strbuf *out);

#endif
