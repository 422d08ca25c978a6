/* SPDX-License-Identifier: ISC
 *
 * A cell with the addresses of a recipient, as directories write them:
 * "SMTP:ann@example.com smtp:a.lee@example.com X500:/o=Org/cn=ann", with
 * blanks, commas, semicolons, bars or line ends between. Pure.
 */
#ifndef POLICY_IMPORT_PROXIES_H
#define POLICY_IMPORT_PROXIES_H

#include "relay/base/error.h"
#include "relay/base/slice.h"

enum proxy_kind {
	PROXY_PRIMARY, /* SMTP: */
	PROXY_ALIAS,   /* smtp:, or no prefix at all */
	PROXY_OTHER,   /* X500:, SIP:, …, or a number: no mail address */
};

/* Cuts the next address off `rest`, without its prefix. 1; 0: there is none;
 * -1: that is no list of addresses. */
int proxy_next(struct slice *rest, struct slice *address_out,
    enum proxy_kind *kind_out, struct error *err) PH_CHECK;

#endif
