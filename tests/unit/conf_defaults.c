/* SPDX-License-Identifier: ISC
 *
 * Defaults from the table of parameters.
 */
#include "tests/unit/conf_defaults.h"

#include <stdlib.h>

/* Strings of the defaults live as long as the program. */
void conf_defaults(enum section s, void *base)
{
	static struct arena *strings;
	const struct conf_param *p = NULL;
	struct error err;

	if (strings == NULL)
		strings = arena_new();
	while ((p = param_next(s, p)) != NULL) {
		struct slot slot = {.arena = strings, .param = p,
		    .field = (char *)base + p->offset};

		if (p->def != NULL && p->type->element == 0 &&
		    p->type->set(&slot, p->def, &err) != 0)
			abort();
	}
}
