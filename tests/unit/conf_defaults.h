/* SPDX-License-Identifier: ISC
 *
 * Defaults for a configuration that a test makes by hand, from the table of
 * parameters: a test writes down only what it wants to be otherwise.
 */
#ifndef TESTS_UNIT_CONF_DEFAULTS_H
#define TESTS_UNIT_CONF_DEFAULTS_H

#include "conf/schema.h"

/* All parameters of the section but lists, which stay empty. `base` is what
 * their offsets count from: a struct conf, or the struct of a section that has
 * a name. */
void conf_defaults(enum section s, void *base);

#endif
