/* SPDX-License-Identifier: ISC
 *
 * The trace of a run, as lines.
 */
#include "tests/sim/sim_trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "relay/base/strbuf.h"
#include "tests/sim/sim_task.h"

enum { LINE_BYTES = 4200, KEPT = 40 };

static struct {
	bool to_stdout;
	const char *hide;
	char *kept[KEPT];
	uint64_t lines, sum;
} trace;

void trace_setup(bool to_stdout, const char *hide)
{
	trace.to_stdout = to_stdout;
	trace.hide = hide;
	trace.sum = UINT64_C(0xcbf29ce484222325);
}

/* The folder's name is another in each run, and as long. */
static void hide(char *line)
{
	size_t n = strlen(trace.hide);
	char *p = line;

	while (n > 0 && (p = strstr(p, trace.hide)) != NULL) {
		memcpy(p, "DIR", 3);
		memmove(p + 3, p + n, strlen(p + n) + 1);
		p += 3;
	}
}

static void add(char *line)
{
	char **slot = &trace.kept[trace.lines++ % KEPT];

	hide(line);
	for (const char *p = line; *p != '\0'; p++)
		trace.sum = (trace.sum ^ (unsigned char)*p) *
			    UINT64_C(0x100000001b3);
	if (trace.to_stdout)
		puts(line);
	mem_free(*slot);
	*slot = mem_strdup(line);
}

void trace_line(const char *fmt, ...)
{
	char line[LINE_BYTES];
	int64_t now = sim_now_us();
	int n = snprintf(line, sizeof(line), "%" PRId64 ".%06d %s ",
	    now / 1000000, (int)(now % 1000000), task_name());
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	add(line);
}

void trace_log(struct slice line)
{
	while (line.n > 0 && line.p[line.n - 1] == '\n')
		line.n--;
	trace_line("log %.*s", (int)line.n, line.p);
}

uint64_t trace_sum(void)
{
	return trace.sum;
}

void sim_fail(const char *fmt, ...)
{
	uint64_t first = trace.lines > KEPT ? trace.lines - KEPT : 0;
	va_list ap;

	if (!trace.to_stdout)
		for (uint64_t i = first; i < trace.lines; i++)
			printf("  %s\n", trace.kept[i % KEPT]);
	printf("BROKEN: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	quick_exit(SIM_FAILED);
}
