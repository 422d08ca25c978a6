/* SPDX-License-Identifier: ISC
 *
 * A spool of format 1.
 */
#include "tests/unit/spool_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "relay/base/pack.h"

enum { FILE_MAX = 1 << 20, SLOTS = 12 };

const struct fixture_message fixture_messages[] = {
	/* clang-format off */
	{ 101, FIX_LIVE, 900, 2, "cloud", D_QUEUED, 0, 0, "" },
	{ 102, FIX_LIVE, 900, 1, "cloud", D_DEFERRED, 2 | 8, 3, "451 4.7.1 later" },
	{ 103, FIX_LIVE, 500, 1, "cloud", D_HELD, 0, 0, "" },
	{ 104, FIX_LIVE, 900, 1, "cloud", D_PARKED, DF_DSN_SENT, 90, "450 4.2.2 full" },
	{ 105, FIX_RETAINED, 1200, 1, "cloud", D_DELIVERED, 0, 1, "250 2.0.0 taken" },
	{ 106, FIX_LIVE, 4200, 1, "cloud", D_QUEUED, 0, 0, "" },
	{ 107, FIX_LIVE, 800, 1, "cloud", D_FROZEN, 0, 0, "" },
	{ 108, FIX_LIVE, 700, 2, "cloud", D_SUPERSEDED, 0, 0, "" },
	{ 109, FIX_RETAINED, 600, 1, "cloud", D_BOUNCED, DF_DSN_SENT, 1, "550 5.1.1 no such user" },
	{ 110, FIX_LIVE, 900, 1, "legacy", D_QUEUED, 0, 0, "" },
	{ 111, FIX_RETAINED, 4200, 1, "cloud", D_DELIVERED, 0, 1, "250 2.0.0 taken" },
	{ 112, FIX_GONE, 0, 0, "", D_NONE, 0, 0, "" },
	/* clang-format on */
};
const unsigned fixture_count = ARRAY_LEN(fixture_messages);

static size_t read_file(char *p)
{
	const char *top = getenv("srcdir");
	char path[512];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/data/spool-1",
	    top != NULL ? top : "..");
	f = fopen(path, "rb");
	if (f == NULL)
		fail_msg("%s cannot be opened", path);
	n = fread(p, 1, FILE_MAX, f);
	fclose(f);
	return n;
}

static void put_file(struct diskio *io, struct unpack *u)
{
	struct slice name = unpack_bytes(u);
	uint32_t size = unpack_u32(u), runs = unpack_u32(u);
	char path[64], *bytes = mem_new(size);
	int fd;

	assert_true(unpack_ok(u) && size <= FILE_MAX);
	snprintf(path, sizeof(path), "/spool/%.*s", (int)name.n, name.p);
	for (uint32_t i = 0; i < runs; i++) {
		uint32_t at = unpack_u32(u);
		struct slice run = unpack_bytes(u);

		assert_true(unpack_ok(u) && at + run.n <= size);
		memcpy(bytes + at, run.p, run.n);
	}
	fd = io->open(io, path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(io->pwrite(io, fd, bytes, size, 0), size);
	assert_int_equal(io->fsync(io, fd), 0);
	io->close(io, fd);
	mem_free(bytes);
}

struct rig *fixture_rig(void)
{
	struct rig *r = rig_new(SLOTS);
	struct diskio *io = &r->disk->io;
	char *all = mem_new(FILE_MAX);
	struct unpack u;
	int dir;

	unpack_init(&u, slice_of(all, read_file(all)));
	assert_int_equal(io->mkdir(io, "/spool", 0700), 0);
	while (u.rest.n > 0)
		put_file(io, &u);
	dir = io->open(io, "/spool", O_RDONLY | O_DIRECTORY, 0);
	assert_int_equal(io->fsync(io, dir), 0);
	io->close(io, dir);
	mem_free(all);
	r->next_id = 1000;
	r->c.retain_us = INT64_C(7) * 24 * 3600 * 1000000;
	clock_fake_step(&r->clock, INT64_C(3600) * 1000000);
	return r;
}

static void body_of(uint64_t id, char *p, size_t n)
{
	char line[80];
	size_t at = 0;

	for (int k = 0; at < n; k++) {
		int len = snprintf(line, sizeof(line),
		    "Message %d, line %d of its body.\r\n", (int)id, k);

		for (int i = 0; i < len && at < n; i++)
			p[at++] = line[i];
	}
}

static bool same_body(struct spool_fetch *f, const struct fixture_message *m)
{
	char *want = mem_new(m->body);
	struct slice chunk;
	size_t at = 0;
	bool same = f->source != NULL && f->source->size == m->body;

	body_of(m->id, want, m->body);
	while (same && source_next(f->source, &chunk) == SOURCE_CHUNK) {
		same = at + chunk.n <= m->body &&
		    memcmp(want + at, chunk.p, chunk.n) == 0;
		at += chunk.n;
	}
	mem_free(want);
	return same && at == m->body;
}

static const char *differs(struct rig *r, struct spool_fetch *f,
    const struct fixture_message *m)
{
	const struct spool_delivery *d = f->delivery;

	if (f->status != 0)
		return f->err.text;
	if (f->deliveries != m->deliveries)
		return "number of deliveries";
	if (strcmp(names_text(r->names, d->leg), m->leg) != 0)
		return "leg";
	if (d->state != m->state)
		return "state";
	if (d->flags != m->flags || d->attempts != m->attempts)
		return "flags or attempts";
	if (!slice_eq(strbuf_view(&f->reply[0]), slice_str(m->detail)))
		return "detail";
	return same_body(f, m) ? NULL : "body";
}

const char *fixture_differs(struct rig *r, const struct fixture_message *m)
{
	static char text[sizeof(struct error) + 32];
	struct spool_fetch *f = rig_fetch_kept(r, m->id);
	const char *what = differs(r, f, m);

	if (what != NULL)
		snprintf(text, sizeof(text), "%d: %s", (int)m->id, what);
	spool_fetch_free(f);
	return what == NULL ? NULL : text;
}
