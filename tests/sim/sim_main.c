/* SPDX-License-Identifier: ISC
 *
 * The true worker, simulated: runs seeds, each in a process of its own, and
 * makes a failing one shorter. `tests/sim/run --help`.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/sim_admin.h"
#include "tests/sim/sim_scenario.h"
#include "tests/sim/sim_shrink.h"
#include "tests/sim/sim_task.h"
#include "tests/sim/sim_trace.h"

enum { LONG_SEEDS = 10000, JOBS_MAX = 16 };
#define WALL_US INT64_C(1790000000000000)

static const char usage[] =
    "usage: tests/sim/run [--seed N] [--count N] [--keep I,J,...] [--jobs N]\n"
    "                     [--trace | --sum] [--first] [--no-shrink] [--long]\n"
    "  --seed N    the first seed (1); without --count that one alone\n"
    "  --count N   so many seeds\n"
    "  --keep ...  of its events only these\n"
    "  --jobs N    so many at a time (2)\n"
    "  --trace     prints what happens, line by line\n"
    "  --sum       prints a number for all of the trace\n"
    "  --first     stops at the first that fails, and makes it no shorter\n"
    "  --no-shrink a failing seed is named, and not made shorter\n"
    "  --long      10,000 seeds\n"
    "example: tests/sim/run --seed 17 --trace\n";

struct options {
	uint64_t seed, count;
	unsigned jobs;
	bool trace, sum, no_shrink, first;
	const char *keep;
};

/* The last lines of the daemon's log say which assertion it was. */
static void on_signal(int signo)
{
	sim_fail("the daemon ended by %s", strsignal(signo));
}

/* In a process of its own. */
static void run_seed(uint64_t seed, const bool *keep, bool trace, bool sum)
{
	struct sim_event events[EVENTS_MAX];
	unsigned n = scenario_draw(seed, events);

	task_setup(seed, WALL_US);
	daemon_setup(seed);
	trace_setup(trace, daemon_folder());
	at_quick_exit(daemon_remove);
	signal(SIGABRT, on_signal);
	signal(SIGSEGV, on_signal);
	scenario_play(seed, events, n, keep);
	if (sum)
		printf("%016" PRIx64 "\n", trace_sum());
	fflush(stdout);
	daemon_remove();
	_exit(0);
}

bool seed_holds(uint64_t seed, const bool *keep, bool quiet)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (quiet && freopen("/dev/null", "w", stdout) == NULL)
			_exit(1);
		run_seed(seed, keep, false, false);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- many ---- */

struct job {
	pid_t pid;
	uint64_t seed;
};

static void begin(struct job *j, uint64_t seed)
{
	fflush(stdout);
	*j = (struct job){fork(), seed};
	if (j->pid != 0)
		return;
	if (freopen("/dev/null", "w", stdout) == NULL)
		_exit(1);
	run_seed(seed, NULL, false, false);
}

static bool finish(struct job *jobs, unsigned n, uint64_t *seed_out)
{
	int status;
	pid_t pid = wait(&status);

	for (unsigned i = 0; i < n; i++)
		if (jobs[i].pid == pid) {
			*seed_out = jobs[i].seed;
			jobs[i].pid = 0;
		}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void tell(const struct options *o, uint64_t seed)
{
	printf("FAIL  seed %" PRIu64 "\n", seed);
	if (!o->no_shrink && !o->first)
		shrink(seed);
	fflush(stdout);
}

static uint64_t run_many(const struct options *o)
{
	struct job jobs[JOBS_MAX] = {{0}};
	uint64_t next = 0, done = 0, failed = 0, seed = 0;

	while (done < o->count && !(o->first && failed > 0)) {
		for (unsigned i = 0; i < o->jobs && next < o->count; i++)
			if (jobs[i].pid == 0)
				begin(&jobs[i], o->seed + next++);
		if (!finish(jobs, o->jobs, &seed)) {
			failed++;
			tell(o, seed);
		}
		if (++done % 500 == 0)
			fprintf(stderr, "%" PRIu64 " seeds, %" PRIu64
			    " failed\n", done, failed);
	}
	printf("%" PRIu64 " seeds, %" PRIu64 " failed\n", done, failed);
	return failed;
}

/* ---- options ---- */

static void read_keep(const char *text, bool keep[EVENTS_MAX])
{
	char *end;

	while (*text != '\0') {
		unsigned long i = strtoul(text, &end, 10);

		if (i < EVENTS_MAX)
			keep[i] = true;
		if (end == text)
			break;
		text = *end == ',' ? end + 1 : end;
	}
}

static int run_one(const struct options *o)
{
	bool keep[EVENTS_MAX] = {false};

	if (o->keep != NULL)
		read_keep(o->keep, keep);
	if (o->trace || o->sum)
		run_seed(o->seed, o->keep == NULL ? NULL : keep, o->trace,
		    o->sum);
	if (seed_holds(o->seed, o->keep == NULL ? NULL : keep, false)) {
		printf("seed %" PRIu64 " holds\n", o->seed);
		return 0;
	}
	if (o->keep == NULL)
		tell(o, o->seed);
	return 1;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option words[] = {
		{"seed", required_argument, NULL, 's'},
		{"count", required_argument, NULL, 'n'},
		{"keep", required_argument, NULL, 'k'},
		{"jobs", required_argument, NULL, 'j'},
		{"trace", no_argument, NULL, 't'},
		{"sum", no_argument, NULL, 'u'},
		{"no-shrink", no_argument, NULL, 'x'},
		{"first", no_argument, NULL, 'f'},
		{"long", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", words, NULL)) != -1) {
		if (c == 's')
			o->seed = strtoull(optarg, NULL, 10);
		else if (c == 'n')
			o->count = strtoull(optarg, NULL, 10);
		else if (c == 'k')
			o->keep = optarg;
		else if (c == 'j')
			o->jobs = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 't')
			o->trace = true;
		else if (c == 'u')
			o->sum = true;
		else if (c == 'x')
			o->no_shrink = true;
		else if (c == 'f')
			o->first = true;
		else if (c == 'l')
			o->count = LONG_SEEDS;
		else
			return -1;
	}
	return optind == argc && o->jobs > 0 && o->jobs <= JOBS_MAX ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct options o = {.seed = 1, .jobs = 2};

	if (parse(argc, argv, &o) < 0) {
		fputs(usage, stderr);
		return 2;
	}
	if (o.count == 0)
		return run_one(&o);
	return run_many(&o) == 0 ? 0 : 1;
}
