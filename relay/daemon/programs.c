/* SPDX-License-Identifier: ISC
 *
 * The table of programs: which there are, in which lane, for how long.
 */
#include "relay/daemon/programs.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/daemon/places.h"
#include "relay/daemon/sandbox.h"
#include "relay/spf/spf_starter.h"

/* A program that the configuration names; "" is none. */
struct named_program {
	const char *section, *key, *program;
};

static int check_program(const struct conf *c, const struct named_program *n,
    struct error *err)
{
	struct conf_place at = conf_place(c, n->section, n->key);
	const char *program = n->program, *place;
	struct stat st = {0};

	if (program[0] == '\0')
		return 0;
	if (stat(program, &st) == 0 && !S_ISREG(st.st_mode))
		return error_set(err, "%s:%d: %s.%s: %s is no file; name the "
		    "program itself", at.file, at.line, n->section, n->key,
		    program);
	if (access(program, X_OK) != 0)
		return error_sys(err, errno, "%s:%d: %s.%s: %s cannot be run",
		    at.file, at.line, n->section, n->key, program);
	if ((st.st_mode & S_IWOTH) != 0)
		return error_set(err, "%s:%d: %s.%s: everybody on this machine "
		    "can write %s; chmod o-w it", at.file, at.line, n->section,
		    n->key, program);
	place = place_may_write(c, program);
	if (place == NULL)
		return 0;
	return error_set(err, "%s:%d: %s.%s: %s is in a folder that the "
	    "daemon may write (of %s), so an intruder could put a program "
	    "of its own there; move it to a folder of root's, for example "
	    "/usr/local/libexec", at.file, at.line, n->section, n->key,
	    program, place);
}

int programs_check(const struct conf *c, struct error *err)
{
	const struct named_program named[] = {
	    {"alarm", "exec", c->alarm.exec},
	    {"hook", "on_watermark", c->hook.on_watermark},
	    {"hook", "on_held", c->hook.on_held},
	    {"hook", "on_export", c->hook.on_export}};

	for (size_t i = 0; i < ARRAY_LEN(named); i++)
		if (check_program(c, &named[i], err) < 0)
			return -1;
	return 0;
}

/* A program that is watched to its end, in the lane of hooks. */
static void add_hook(struct spawner_config *sc, enum spawn_row row,
    const char *path, int64_t limit_ms)
{
	if (path[0] != '\0')
		sc->program[row] = (struct spawn_program){.path = path,
		    .lane = LANE_HOOK, .limit_ms = (int)limit_ms};
}

struct spawner *programs_start(const struct conf *c, struct error *err)
{
	struct spawner *s;
	char spf[SPF_PROGRAM_BYTES];
	struct spawner_config sc = {.grace_ms = SPAWNER_GRACE_MS,
	    .shut_in = c->sandbox ? sandbox_enter_spawner : NULL};

	if (programs_check(c, err) < 0)
		return NULL;
	if (c->alarm.exec[0] != '\0')
		sc.program[SPAWN_ALARM] = (struct spawn_program){
		    .path = c->alarm.exec, .lane = LANE_ALARM,
		    .limit_ms = SPAWNER_LIMIT_MS};
	if (spf_program_find(spf))
		sc.program[SPAWN_SPF] = (struct spawn_program){
		    .path = spf, .lane = LANE_HELPER, .bare = true};
	add_hook(&sc, SPAWN_WATERMARK, c->hook.on_watermark,
	    c->hook.timeout_ms);
	add_hook(&sc, SPAWN_HELD, c->hook.on_held, c->hook.timeout_ms);
	add_hook(&sc, SPAWN_EXPORT, c->hook.on_export, c->hook.timeout_ms);
	s = spawner_new(&sc, err);
	/* The spawner's first process is our child: it becomes no zombie. */
	signal(SIGCHLD, SIG_IGN);
	return s;
}
