/* SPDX-License-Identifier: ISC
 *
 * Fields of a JSON object: of an event, or of a row that the daemon answered.
 * Pure.
 */
#ifndef RELAY_CLI_COMMON_JSON_GET_H
#define RELAY_CLI_COMMON_JSON_GET_H

#include <jansson.h>
#include <stdint.h>

/* "" where there is no such string, 0 where there is no such number. */
const char *json_text(const json_t *object, const char *key);
int64_t json_number(const json_t *object, const char *key);

#endif
