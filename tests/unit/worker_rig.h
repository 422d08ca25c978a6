/* SPDX-License-Identifier: ISC
 *
 * The true daemon, from app_start() to app_stop(), under a unit test: its
 * workers, queue thread, journal and control commands run as tasks on
 * simulated sockets, disk and time (tests/sim). The test is the clients, the
 * legs (rig_leg.h) and the administrator. Each test has a process of its own;
 * an hour of its time passes at once.
 */
#ifndef TESTS_UNIT_WORKER_RIG_H
#define TESTS_UNIT_WORKER_RIG_H

#include "tests/sim/sim_peer.h"
#include "tests/sim/sim_world.h"

/* Parts of the configuration; NULL: the usual. The folder of table, audit and
 * configuration stands for "%s" in `more`. */
struct rig_conf {
	const char *legs;   /* legacy, cloud, outside                        */
	const char *listen; /* mx at SIM_RELAY_IP                            */
	const char *domain; /* corp.example to legacy, others are refused    */
	const char *retry;  /* steps of 20 s, 60 s, 2 min; lifetime 40 min   */
	const char *dsn;    /* by outside                                    */
	const char *limits; /* none                                          */
	const char *more;   /* further sections and global parameters        */
};

struct rig_test {
	void (*fn)(void);
	const struct rig_conf *conf; /* NULL: the usual */
};

/* A row of cmocka's table. */
#define RIG_TEST(name, c) \
	{#name, rig_test, NULL, NULL, &(struct rig_test){name, c}}
void rig_test(void **state);

/* Fails the test. */
#define CHECK(cond) \
	do { \
		if (!(cond)) \
			rig_failed(__FILE__, __LINE__, #cond); \
	} while (0)
PH_NORETURN void rig_failed(const char *file, int line, const char *what);
/* `got` contains (want begins with "!": does not contain) the text. */
void rig_has(const char *got, const char *want);

/* ---- time and the daemon ---- */

void rig_sleep(int64_t s);
void rig_start(void);
void rig_stop(void);
void rig_kill(void); /* the machine keeps what was synced; the next start is
		      * the test's */
/* The folder of table, audit and configuration. */
const char *rig_folder(void);
/* The configuration of the next start; NULL: the usual. */
void rig_configure(const struct rig_conf *c);
/* Another configuration, as by SIGHUP; whether it was taken. */
bool rig_reload(const struct rig_conf *c);
/* Until `fn(arg)`; fails after an hour of its time. */
void rig_until(bool (*fn)(void *arg), void *arg);

/* ---- the table ---- */

/* A row is made or changed; NULL and -1 keep what is there. */
uint64_t rig_row(const char *address, const char *route, int held);
/* The same with the recipient's address on legs: "leg=address" lines. */
uint64_t rig_rewritten(const char *address, const char *route,
    const char *addresses);
/* Rows of u0 … in our domain, by one change. */
void rig_rows(int n, const char *route);
const char *rig_table_path(void);

/* ---- clients ---- */

/* Greeted, and after EHLO. */
struct peer *rig_client(const char *ip);
/* Says the line (NULL: nothing) and takes the reply, of which the last line
 * must begin with `want`; returns that line, borrowed until the next. */
const char *rig_say(struct peer *p, const char *line, const char *want);
void rig_leave(struct peer *p); /* QUIT */
/* A whole mail in a session of its own; `to`: addresses with blanks between.
 * Returns its ID, to be kept by the caller's memory. */
void rig_mail_from(const char *ip, const char *from, const char *to,
    const char *content, char id_out[16]);
void rig_mail(const char *from, const char *to, char id_out[16]);

/* ---- the administrator ---- */

/* The daemon itself, for what no wire shows. */
struct app *rig_app(void);
/* Rows of the answer, a line each; borrowed until the next. `args` is JSON. */
const char *rig_ctl(int code, const char *command, const char *args);
/* The same of a command that asks for further lines: JSON, up to a NULL. */
const char *rig_ctl_lines(int code, const char *command, const char *args,
    const char *const *lines);
/* The same, whatever its code. */
const char *rig_ctl_any(const char *command, const char *args,
    const char *const *lines, int *code_out);
/* The reason that the last command gave. */
const char *rig_ctl_error(void);
/* "cloud delivered,legacy parked" of all deliveries of a message */
void rig_deliveries(const char *id, const char *want);
/* Waits until it is so. */
void rig_becomes(const char *id, const char *want);
/* events.jsonl, when the projector is done. */
const char *rig_events(void);

#endif
