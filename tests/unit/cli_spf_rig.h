/* SPDX-License-Identifier: ISC
 *
 * Commands that judge by SPF: a DNS server of our own, and in place of
 * `posthouse-spf` a function that knows "ip4:ADDRESS" and "all".
 */
#ifndef TESTS_UNIT_CLI_SPF_RIG_H
#define TESTS_UNIT_CLI_SPF_RIG_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/unit/cli_rig.h"

#define US "192.0.2.10"
#define CLOUD "198.51.100.7"

/* Sections that a configuration may have besides. */
#define WAYS "outbound { clients = { \"192.0.2.99/32\" }\n" \
	"    use = { \"main\", \"tenant\" } }\n"
#define SRS "srs { domain = \"srs.example\" secrets = \"%s/srs.secrets\" }\n"

extern bool program_there; /* posthouse-spf */
extern char printed[CLI_RIG_OUT]; /* of the last command */

/* Runs `line`; `more`, of the configuration, may name the folder once. */
int run(const char *dir, const char *more, const char *line);
void says(const char *piece);

/* Each says exactly that; of a time, "since TIME" reads "since NOW". */
struct answer {
	const char *line, *out;
};
void answers_are(const char *dir, const char *more, const struct answer *a,
    size_t n);

#endif
