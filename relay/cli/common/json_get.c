/* SPDX-License-Identifier: ISC
 *
 * Fields of a JSON object, with a default for what is not there.
 */
#include "relay/cli/common/json_get.h"

const char *json_text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s == NULL ? "" : s;
}

int64_t json_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}
