/* SPDX-License-Identifier: ISC
 *
 * A bar, or a sign that turns, on stderr while a command works.
 */
#include "relay/cli/common/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "relay/base/clock.h"

enum { BAR = 40 };

void progress_begin(struct progress *p, const char *title, uint64_t total)
{
	*p = (struct progress){.title = title, .total = total, .shown = -1,
	    .on = isatty(STDERR_FILENO)};
	progress_at(p, 0);
}

void progress_at(struct progress *p, uint64_t done)
{
	int per = p->total == 0 ? 0 : (int)(done * 100 / p->total);

	if (!p->on)
		return;
	if (p->total == 0 && done % 10000 == 0)
		fprintf(stderr, "\r%s %" PRIu64, p->title, done);
	if (p->total == 0 || per == p->shown || per > 100)
		return;
	p->shown = per;
	fprintf(stderr, "\r%s [%.*s%*s] %3d %%", p->title, per * BAR / 100,
	    "########################################",
	    BAR - per * BAR / 100, "", per);
}

void progress_phase(struct progress *p, const char *title)
{
	enum { REDRAW_MS = 100 };
	static const char sign[] = "|/-\\";
	int64_t now = clock_mono_ms(&clock_system);

	if (!p->on || (title == p->phase && now - p->drawn_ms < REDRAW_MS))
		return;
	p->phase = title;
	p->drawn_ms = now;
	fprintf(stderr, "\r\033[K%s %c", title, sign[p->turn++ % 4]);
	fflush(stderr);
}

void progress_clear(struct progress *p)
{
	if (p->on)
		fprintf(stderr, "\r\033[K");
	p->shown = -1;
}

void progress_end(struct progress *p)
{
	progress_clear(p);
	p->on = false;
}
