/* SPDX-License-Identifier: ISC
 *
 * Compiler attributes and the two macros that every file needs.
 */
#ifndef RELAY_BASE_ATTR_H
#define RELAY_BASE_ATTR_H

#include <stdbool.h>
#include <stddef.h>

#define PH_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define PH_CHECK __attribute__((warn_unused_result))
#define PH_NORETURN __attribute__((noreturn))

/* Is this a build under a sanitizer? Memory is then no measure, and some
 * system calls are its own. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PH_SANITIZED true
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PH_SANITIZED true
#endif
#ifndef PH_SANITIZED
#define PH_SANITIZED false
#endif

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
