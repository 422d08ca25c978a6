/* SPDX-License-Identifier: ISC
 *
 * Deliveries of a wave's members, among others.
 */
#ifndef RELAY_CLI_WAVE_WAVE_FILTER_H
#define RELAY_CLI_WAVE_WAVE_FILTER_H

#include "relay/cli/wave/wave_open.h"

struct wave_filter {
	struct wave_file *file; /* NULL: all pass */
	const struct conf *conf;
	const char *wave;
	struct error err; /* why one could not be looked up; "" */
};

/* By --wave; without it all pass. CLI_DONE, or what was said. */
int wave_filter_open(struct cli *c, struct wave_filter *filter);
/* Is the recipient, as it was written at RCPT, a member: as it is, or without
 * its subaddress (T7)? */
bool wave_filter_has(struct wave_filter *filter, const char *to);
/* CLI_DONE, or what was said of a lookup. */
int wave_filter_close(struct cli *c, struct wave_filter *filter);

#endif
