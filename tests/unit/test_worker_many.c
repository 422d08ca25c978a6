/* SPDX-License-Identifier: ISC
 *
 * Watermarks of many recipients under the true daemon: their events go into
 * the journal in parts, and none is left out. note_post() and marks_flush()
 * are wrapped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/audit/note_post.h"
#include "tests/unit/worker_rig.h"

enum { MANY = 1600, PART = 500 };

struct watermarks;
struct mark_flush;

static int part, largest, all; /* events of watermarks */

void __real_note_post(struct note_draft *n, struct spool *s, enum note kind,
    int64_t time_us);
void __wrap_note_post(struct note_draft *n, struct spool *s, enum note kind,
    int64_t time_us);
void __real_marks_flush(struct watermarks *w, struct mark_flush *f);
void __wrap_marks_flush(struct watermarks *w, struct mark_flush *f);

void __wrap_note_post(struct note_draft *n, struct spool *s, enum note kind,
    int64_t time_us)
{
	if (kind == NOTE_WATERMARK) {
		all++;
		part++;
		largest = part > largest ? part : largest;
	}
	__real_note_post(n, s, kind, time_us);
}

/* Then all that was posted is synced, and waited for. */
void __wrap_marks_flush(struct watermarks *w, struct mark_flush *f)
{
	part = 0;
	__real_marks_flush(w, f);
}

static int reached(void)
{
	struct slice rest = slice_str(rig_events()), line;
	int n = 0;

	while (slice_next(&rest, '\n', &line))
		n += slice_case_has(line, SLICE("\"event\":\"watermark\"")) &&
		     slice_case_has(line, SLICE("\"state\":\"reached\""));
	return n;
}

static void a_flip_of_many_is_told_in_parts(void)
{
	rig_rows(MANY, "legacy");
	rig_sleep(10);
	CHECK(all == 0);
	rig_rows(MANY, "cloud");
	rig_sleep(30);
	CHECK(all == MANY);
	CHECK(reached() == MANY);
	CHECK(largest <= PART);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RIG_TEST(a_flip_of_many_is_told_in_parts, NULL),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
