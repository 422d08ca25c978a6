/* SPDX-License-Identifier: ISC
 *
 * The handles that intake is made from.
 */
#ifndef RELAY_INTAKE_INTAKE_CONFIG_H
#define RELAY_INTAKE_INTAKE_CONFIG_H

struct from_legs;
struct leg_offers;
struct logins;
struct loophints;
struct oldtls;
struct rate_table;
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
	struct rate_table *rate; /* recipients at the outside, an hour */
	/* Forged SRS addresses of a client in a minute; messages to a
	 * recipient by SRS in an hour. */
	struct rate_table *srs_forged, *srs_mail;
	struct from_legs *from_legs; /* NULL: not counted */
};

#endif
