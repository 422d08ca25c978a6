/* SPDX-License-Identifier: ISC
 *
 * Compiler attributes and the two macros everybody needs.
 */
#ifndef RELAY_BASE_ATTR_H
#define RELAY_BASE_ATTR_H

#include <stddef.h>

#define PH_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define PH_CHECK __attribute__((warn_unused_result))
#define PH_NORETURN __attribute__((noreturn))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
