/* SPDX-License-Identifier: ISC
 *
 * Operational log: an event with typed fields, not a sentence. One event is
 * one line; control bytes, DEL and 8-bit are written \xNN. Any thread; the
 * sink is one of the two mutable globals of the program.
 *
 *   log_info("listen.open", kv_str("address", text), kv_int("fd", fd));
 */
#ifndef RELAY_BASE_LOG_H
#define RELAY_BASE_LOG_H

#include "relay/base/clock.h"
#include "relay/base/error.h"
#include "relay/base/slice.h"

enum log_level { LOG_LV_ERROR, LOG_LV_WARN, LOG_LV_INFO, LOG_LV_DEBUG };

struct kv {
	const char *key; /* NULL ends the list */
	enum { KV_SLICE, KV_INT, KV_ID } type;
	struct slice s;
	int64_t i;
};

static inline struct kv kv_slice(const char *key, struct slice s)
{
	return (struct kv){key, KV_SLICE, s, 0};
}
static inline struct kv kv_str(const char *key, const char *s)
{
	return kv_slice(key, slice_str(s == NULL ? "" : s));
}
static inline struct kv kv_int(const char *key, int64_t i)
{
	return (struct kv){key, KV_INT, {NULL, 0}, i};
}
static inline struct kv kv_id(const char *key, uint64_t id) /* message id */
{
	return (struct kv){key, KV_ID, {NULL, 0}, (int64_t)id};
}
static inline struct kv kv_err(const struct error *err)
{
	return kv_str("error", err->text);
}

/* Where lines go: fd (2 for stderr, <0 for nowhere) and from which level on.
 * Call before threads start, again on SIGUSR1 with the reopened file. */
void log_setup(int fd, enum log_level max, const struct clock *clock);
void log_write(enum log_level level, const char *event, const struct kv *kv);

#define LOG_AT_(level, event, ...) \
	log_write((level), (event),    \
	    (const struct kv[]){__VA_ARGS__ __VA_OPT__(, ){0}})
#define log_error(event, ...) LOG_AT_(LOG_LV_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) LOG_AT_(LOG_LV_WARN, event, __VA_ARGS__)
#define log_info(event, ...) LOG_AT_(LOG_LV_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) LOG_AT_(LOG_LV_DEBUG, event, __VA_ARGS__)

#endif
