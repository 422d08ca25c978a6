/* SPDX-License-Identifier: ISC
 *
 * Where the bytes of a message come from.
 */
#include "relay/base/source.h"

#include "relay/base/mem.h"

enum source_state source_next(struct source *s, struct slice *chunk_out)
{
	return s->ops->next(s, chunk_out);
}

void source_rewind(struct source *s)
{
	s->ops->rewind(s);
}

void source_free(struct source *s)
{
	if (s != NULL)
		s->ops->free(s);
}

struct slice_source {
	struct source source;
	struct slice bytes;
	bool done;
};

static enum source_state slice_source_next(struct source *s,
    struct slice *chunk_out)
{
	struct slice_source *ss = CONTAINER_OF(s, struct slice_source, source);

	if (ss->done || ss->bytes.n == 0)
		return SOURCE_END;
	ss->done = true;
	*chunk_out = ss->bytes;
	return SOURCE_CHUNK;
}

static void slice_source_rewind(struct source *s)
{
	CONTAINER_OF(s, struct slice_source, source)->done = false;
}

static void slice_source_free(struct source *s)
{
	mem_free(CONTAINER_OF(s, struct slice_source, source));
}

struct source *source_of_slice(struct slice bytes)
{
	static const struct source_ops ops = {
	    slice_source_next, slice_source_rewind, slice_source_free};
	struct slice_source *ss = NEW(struct slice_source);

	ss->source.ops = &ops;
	ss->source.size = bytes.n;
	ss->bytes = bytes;
	return &ss->source;
}
