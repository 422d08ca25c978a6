/* SPDX-License-Identifier: ISC
 *
 * Any bytes as a reply profile: taken or refused in a sentence; what is taken
 * can be matched against.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_new();
	struct conf_profile p;
	struct error err = {0};
	bool known = false;

	if (conf_profile_parse(slice_of(data, n), "x", a, &p, &err) != 0) {
		if (strncmp(err.text, "x:", 2) != 0)
			abort();
		arena_free(a);
		return 0;
	}
	for (int i = 0; i < p.replies; i++) {
		const struct conf_reply *r = &p.reply[i];

		if (r->low < 400 || r->high > 599 || r->low > r->high ||
		    r->stages == 0 || r->class >= CLASSES)
			abort();
		known |= r->enh != NULL && conf_enhanced_fits(r->enh, "5.1.1");
	}
	(void)known;
	arena_free(a);
	return 0;
}
