/* SPDX-License-Identifier: ISC
 *
 * Why a delivery waits, in words.
 */
#include "relay/cli/common/why_waits.h"

#include <string.h>

#include "relay/base/attr.h"

const char *why_waits(const char *class, int64_t code)
{
	static const struct {
		const char *class;
		int64_t from;
		const char *why;
	} words[] = {
		{"recipient", 500, "may be new there, or is known from "
		    "lately: retry.grace, retry.known_wait, soft_bounce"},
		{"configuration", 400, "about the leg's set-up, not the mail"},
		{"mailbox", 400, "about this mailbox alone"},
		{"throttle", 400, "the leg asks for less at once"},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (code >= words[i].from &&
		    strcmp(class, words[i].class) == 0)
			return words[i].why;
	return NULL;
}
