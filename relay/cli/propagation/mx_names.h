/* SPDX-License-Identifier: ISC
 *
 * Checks what senders check of an MX name: our certificate of that name, its
 * TLSA records. Blocks for the resolvers.
 */
#ifndef RELAY_CLI_PROPAGATION_MX_NAMES_H
#define RELAY_CLI_PROPAGATION_MX_NAMES_H

#include "conf/conf.h"
#include "relay/base/error.h"
#include "relay/net/dns.h"

enum { MX_NAMES = 32, MX_WHY_BYTES = 200 };

struct mx_names {
	const char *name[MX_NAMES];
	size_t n;
};

enum mx_state {
	MX_FITS,
	MX_NONE, /* there is nothing that could be wrong */
	MX_MISMATCH,
	MX_UNKNOWN, /* it cannot be read, or nothing answers */
};
struct mx_found {
	enum mx_state state;
	char why[MX_WHY_BYTES];
};

void mx_say(struct mx_found *out, enum mx_state state, const char *fmt, ...)
    PH_PRINTF(3, 4);
/* Of the listeners that take mail: has one a certificate of that name, not
 * past its time? */
void mx_certificate(const struct conf *c, const char *host,
    struct mx_found *out);

/* The resolvers of `c`. NULL and `err`. */
struct mx_asker;
struct mx_asker *mx_asker_new(const struct conf *c, struct error *err);
void mx_asker_free(struct mx_asker *k);
/* Asks and waits: `fn` is called once, within. */
void mx_ask(struct mx_asker *k, enum dns_type type, const char *name,
    dns_fn fn, void *arg);
/* Does one of the records fit the certificate of that name? Records of a usage
 * that DANE for SMTP has not (RFC 7672 3.1.3) do not count. */
void mx_tlsa(struct mx_asker *k, const struct conf *c, const char *host,
    struct mx_found *out);

#endif
