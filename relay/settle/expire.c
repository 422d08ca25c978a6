/* SPDX-License-Identifier: ISC
 *
 * Ends parked mail (D10): it was parked for as long as parked mail is kept, or
 * it was a spare copy and the disk is full. Queue thread.
 */
#include "relay/settle/queue_thread_int.h"

void expire_parked(void *arg, uint64_t id, const uint32_t *number, unsigned n,
    bool space)
{
	struct queue_thread *s = arg;
	struct moves m;
	unsigned rows, at = 0;
	const struct queue_row *row = moves_rows(s, id, &rows);

	moves_init(&m, id, clock_wall_us(s->shared->clock));
	for (unsigned i = 0; i < rows && at < n; i++) {
		struct delivery_ref item = row[i].item;

		if (item.number != number[at])
			continue;
		at++;
		item.state = D_DELETED;
		item.reason = space ? WHY_SPACE : WHY_EXPIRED;
		moves_add(&m, &item);
	}
	moves_write(s, &m);
	moves_fini(&m);
}
