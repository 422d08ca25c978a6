/* SPDX-License-Identifier: ISC
 *
 * Message ids.
 */
#include "relay/base/id.h"

#define EPOCH_MS INT64_C(1577836800000) /* 2020-01-01T00:00:00Z */
enum { NODE_BITS = 8, SEQ_BITS = 14, LOW_BITS = NODE_BITS + SEQ_BITS };

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void id_maker_init(struct id_maker *m, const struct clock *c, unsigned node)
{
	m->clock = c;
	m->node = node & 0xff;
	atomic_init(&m->last, 0);
}

/* Time and sequence as one number that counts up; the node goes between. */
static uint64_t tick_of(uint64_t id)
{
	return (id >> LOW_BITS << SEQ_BITS) | (id & ((1u << SEQ_BITS) - 1));
}

void id_maker_above(struct id_maker *m, uint64_t id)
{
	uint64_t tick = tick_of(id), last = atomic_load(&m->last);

	while (last < tick &&
	       !atomic_compare_exchange_weak(&m->last, &last, tick))
		;
}

uint64_t id_make(struct id_maker *m)
{
	int64_t ms = clock_wall_us(m->clock) / 1000 - EPOCH_MS;
	uint64_t now = ms > 0 ? (uint64_t)ms << SEQ_BITS : 1;
	uint64_t last = atomic_load(&m->last), tick;

	do {
		tick = now > last ? now : last + 1;
	} while (!atomic_compare_exchange_weak(&m->last, &last, tick));
	return (tick >> SEQ_BITS << LOW_BITS) | (uint64_t)m->node << SEQ_BITS |
	       (tick & ((1u << SEQ_BITS) - 1));
}

int64_t id_wall_ms(uint64_t id)
{
	return (int64_t)(id >> LOW_BITS) + EPOCH_MS;
}

void id_text(uint64_t id, char out[ID_TEXT])
{
	for (int i = ID_TEXT - 2; i >= 0; i--, id >>= 5)
		out[i] = digits[id & 31];
	out[ID_TEXT - 1] = '\0';
}

void id_text_lower(uint64_t id, char out[ID_TEXT])
{
	id_text(id, out);
	for (char *p = out; *p != '\0'; p++)
		*p = ascii_lower(*p);
}

int id_parse(struct slice s, uint64_t *id_out)
{
	uint64_t id = 0;

	if (s.n != ID_TEXT - 1)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i] >= 'a' && s.p[i] <= 'z'
			     ? (char)(s.p[i] - 'a' + 'A') : s.p[i];
		const char *d = c == '\0' ? NULL : strchr(digits, c);

		if (d == NULL || (i == 0 && d - digits > 15))
			return -1;
		id = id << 5 | (uint64_t)(d - digits);
	}
	if (id == 0)
		return -1;
	*id_out = id;
	return 0;
}
