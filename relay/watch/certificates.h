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

/* The end of a certificate, as seen now. */
struct certificate_end {
	int64_t left_s;	  /* 0 or less: it has expired       */
	int64_t before_s; /* so long before it is announced  */
	const char *used_by;
	bool renewed; /* its file holds a newer one */
};
/* Writes the fault, with the remedy, into out; false: there is none. Pure. */
bool certificate_alarm(const struct certificate_end *e, struct strbuf *out);

#endif
