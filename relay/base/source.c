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

/* ---- one behind a prefix ---- */

struct behind_source {
	struct source source;
	struct source *rest;
	struct slice prefix;
	bool begun;
};

static void behind_ready(void *arg)
{
	struct behind_source *b = arg;

	b->source.ready(b->source.ready_arg);
}

static enum source_state behind_next(struct source *s,
    struct slice *chunk_out)
{
	struct behind_source *b = CONTAINER_OF(s, struct behind_source, source);

	if (!b->begun && b->prefix.n != 0) {
		b->begun = true;
		*chunk_out = b->prefix;
		return SOURCE_CHUNK;
	}
	return source_next(b->rest, chunk_out);
}

static void behind_rewind(struct source *s)
{
	struct behind_source *b = CONTAINER_OF(s, struct behind_source, source);

	b->begun = false;
	source_rewind(b->rest);
}

static void behind_free(struct source *s)
{
	struct behind_source *b = CONTAINER_OF(s, struct behind_source, source);

	source_free(b->rest);
	mem_free(b);
}

struct source *source_behind(struct slice prefix, struct source *s)
{
	static const struct source_ops ops = {
	    behind_next, behind_rewind, behind_free};
	struct behind_source *b = NEW(struct behind_source);

	b->source.ops = &ops;
	b->source.size = prefix.n + s->size;
	b->rest = s;
	b->prefix = prefix;
	s->ready = behind_ready;
	s->ready_arg = b;
	return &b->source;
}
