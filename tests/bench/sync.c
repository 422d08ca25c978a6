/* SPDX-License-Identifier: ISC
 *
 * Measures the cost of one promise on this disk: 4 KiB written and synced, one
 * after the other. The yardstick of the latency figure.
 *
 *   sync DIRECTORY [--times 300] [--append 0]
 *
 * --append 0: into blocks that were written before, as the journal does.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/bench.h"

enum { BLOCK = 4096 };

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int open_file(const char *dir, const char *block, long prepared)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/sync.XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		bench_die(path);
	unlink(path);
	for (long i = 0; i < prepared; i++)
		if (pwrite(fd, block, BLOCK, i * BLOCK) != BLOCK)
			bench_die("pwrite");
	if (fsync(fd) < 0)
		bench_die("fsync");
	return fd;
}

int main(int argc, char **argv)
{
	long times = bench_number(argc, argv, "--times", 300);
	bool append = bench_number(argc, argv, "--append", 0) != 0;
	double *took = calloc((size_t)times + 1, sizeof(*took));
	char block[BLOCK];
	int fd;

	if (argc < 2 || took == NULL || times < 1)
		bench_die("sync: a directory is wanted");
	memset(block, 'x', sizeof(block));
	fd = open_file(argv[1], block, append ? 0 : times);
	for (long i = 0; i < times; i++) {
		double began = bench_now();

		if (pwrite(fd, block, BLOCK, i * BLOCK) != BLOCK ||
		    fdatasync(fd) < 0)
			bench_die("fdatasync");
		took[i] = (bench_now() - began) * 1e3;
	}
	qsort(took, (size_t)times, sizeof(*took), by_value);
	printf("{\"times\":%ld,\"ms_p50\":%.4f,\"ms_p99\":%.4f}\n", times,
	    took[times / 2], took[times * 99 / 100]);
	return 0;
}
