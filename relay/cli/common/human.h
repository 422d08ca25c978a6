/* SPDX-License-Identifier: ISC
 *
 * Figures as people read them. Pure.
 */
#ifndef RELAY_CLI_COMMON_HUMAN_H
#define RELAY_CLI_COMMON_HUMAN_H

#include <stdint.h>

#include "relay/base/strbuf.h"

void human_bytes(int64_t n, struct strbuf *out); /* "1.4 GiB", "812 B"     */
void human_count(int64_t n, struct strbuf *out); /* "1,234,567"            */
void human_age(int64_t s, struct strbuf *out);	 /* "45 s", "3 h 20 min"  */

#endif
