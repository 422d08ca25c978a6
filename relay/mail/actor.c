/* SPDX-License-Identifier: ISC
 *
 * Packs the actor and the reason of a move, and reads them back.
 */
#include "relay/mail/actor.h"

#include "relay/base/pack.h"

enum { VERSION = 1 };

void actor_pack(const struct actor *a, struct strbuf *out)
{
	pack_u8(out, VERSION);
	pack_str(out, a->who);
	pack_str(out, a->reason);
}

int actor_unpack(struct slice bytes, struct arena *a, struct actor *actor_out)
{
	struct slice who, reason;
	struct unpack u;

	*actor_out = (struct actor){"", ""};
	if (bytes.n == 0)
		return 0;
	unpack_init(&u, bytes);
	if (unpack_u8(&u) != VERSION)
		return -1;
	who = unpack_bytes(&u);
	reason = unpack_bytes(&u);
	if (!unpack_end(&u) || slice_find(who, '\0') >= 0 ||
	    slice_find(reason, '\0') >= 0)
		return -1;
	actor_out->who = arena_slicedup(a, who);
	actor_out->reason = arena_slicedup(a, reason);
	return 0;
}
