/* SPDX-License-Identifier: ISC
 *
 * The handles that intake is made from.
 */
#ifndef RELAY_INTAKE_INTAKE_CONFIG_H
#define RELAY_INTAKE_INTAKE_CONFIG_H

struct leg_offers;
struct logins;
struct loophints;
struct oldtls;
struct outbound_rate;
struct stream_scratch;
struct tokens;

/* Handles that a worker's transactions share; any thread may use them. */
struct intake_config {
	struct stream_scratch *scratch; /* the worker's server's */
	struct loophints *hints;  /* what may be going round      */
	struct leg_offers *offers; /* what the legs offer         */
	struct oldtls *oldtls;
	struct tokens *tokens;
	struct logins *logins;
	struct outbound_rate *rate;
};

#endif
