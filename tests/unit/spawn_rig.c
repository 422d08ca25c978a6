/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/daemon/sandbox.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/spawn_rig.h"

void spawn_rig_write(struct spawn_rig *b, const char *text)
{
	FILE *f = fopen(b->program, "w");

	assert_non_null(f);
	fprintf(f, "#!/bin/sh\nOUT=%s\n%s\n", b->out, text);
	fclose(f);
	assert_int_equal(chmod(b->program, 0700), 0);
}

void spawn_rig_pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

char *spawn_rig_output(const struct spawn_rig *b, size_t want)
{
	char *text = mem_new(RIG_OUT_BYTES);
	size_t n = 0;

	for (int i = 0; i < RIG_LOOKS && n < want; i++) {
		FILE *f = fopen(b->out, "r");

		n = f == NULL ? 0 : fread(text, 1, RIG_OUT_BYTES - 1, f);
		if (f != NULL)
			fclose(f);
		if (n < want)
			spawn_rig_pause_ms(RIG_LOOK_MS);
	}
	text[n] = '\0';
	if (n < want)
		fail_msg("only \"%s\" was written", text);
	return text;
}

void spawn_rig_init(struct spawn_rig *b)
{
	assert_int_equal(conf_tmp_setup(&b->dir), 0);
	snprintf(b->program, sizeof(b->program), "%s/page", (char *)b->dir);
	snprintf(b->out, sizeof(b->out), "%s/out", (char *)b->dir);
}

void spawn_rig_fini(struct spawn_rig *b)
{
	spawner_free(b->spawner);
	unlink(b->program);
	unlink(b->out);
	conf_tmp_teardown(&b->dir);
}

void spawn_rig_start(struct spawn_rig *b, int limit_ms, int grace_ms)
{
	struct spawner_config c = {
	    .program = {
		[SPAWN_ALARM] = {b->program, LANE_ALARM, limit_ms, false},
		[SPAWN_SPF] = {b->program, LANE_HELPER, 0, true},
	    },
	    .grace_ms = grace_ms, .shut_in = sandbox_enter_spawner};
	struct error err;

	if (b->second == LANE_HOOK)
		c.program[SPAWN_SPF] = (struct spawn_program){b->program,
		    LANE_HOOK, limit_ms, false};
	if (b->no_alarm)
		c.program[SPAWN_ALARM].path = NULL;
	b->spawner = spawner_new(&c, &err);
	assert_non_null(b->spawner);
}

bool spawn_rig_gone(long pid)
{
	return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

void spawn_rig_wait_gone(long pid)
{
	for (int i = 0; i < RIG_LOOKS && !spawn_rig_gone(pid); i++)
		spawn_rig_pause_ms(RIG_LOOK_MS);
	assert_true(spawn_rig_gone(pid));
}

long spawn_rig_parent(long pid)
{
	char path[64], line[300], *at;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(line, 1, sizeof(line) - 1, f);
	fclose(f);
	line[n] = '\0';
	at = strrchr(line, ')');
	assert_non_null(at);
	return strtol(at + 3, NULL, 10);
}
