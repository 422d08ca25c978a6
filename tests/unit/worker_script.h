/* SPDX-License-Identifier: ISC
 *
 * Transcripts of the true daemon (worker_rig.h): a file of tests/data/worker
 * has what clients, legs and the administrator do, and all that the daemon
 * answers, tells its legs and puts on record. A line of it is, by its
 * beginning:
 *
 *   # …                  a comment; a blank line is one too
 *   | …                  a line for the command below
 *   $ conf PART          a part of the configuration, of the lines "| …":
 *                        legs, listen, domain, retry, dsn, limits or more
 *   $ reload             takes it, as by SIGHUP: taken or refused
 *   $ restart            stops and starts the daemon with it
 *   $ away SECONDS       stops it, and starts it after that time
 *   $ row ADDRESS ROUTE [held] [LEG=ADDRESS …]   a change of the table
 *   $ wave NAME ROUTE ADDRESS …   a wave of these members
 *   $ mail FROM TO …     a mail; "| …": its content, if not the usual
 *   $ talk IP            a client that says the lines "| …"; what it is
 *                        answered. Behind a 354 they are content up to ".",
 *                        behind BDAT one line is. "(reply)" says nothing
 *   $ rule LEG TIMES WHAT ANSWER   what the leg answers (rig_leg.h); an
 *                        answer "-" is silence, TIMES 0 is always, "\n" parts
 *                        lines, "(close)" ends the connection; "_" of WHAT is
 *                        a blank
 *   $ good LEG           it answers as a good server again
 *   $ down LEG, $ up LEG
 *   $ program ROW FATE CODE SECONDS   a program of a hook (watermark, held,
 *                        export) that ends so (exited, signalled, late, lost)
 *                        after that time and says the lines "| …" then, those
 *                        before a line "--" at once; FATE "full": it cannot be
 *                        started, "none": there is none (rig_program.h)
 *   $ given ROW          what its runs were given since the last look
 *   $ marks [ADDRESS …]  the watermarks
 *   $ folder NAME        makes a folder in the folder; "$ unfolder": takes it
 *   $ file NAME          prints a file of the folder; $ chmod MODE NAME
 *   $ sleep SECONDS
 *   $ ended ID           waits until no delivery of it is open
 *   $ ctl COMMAND JSON   the rows of its answer; "| …": lines it may ask for.
 *                        An end that is not 0: "[CODE] why"
 *   $ events             what came into events.jsonl since the last look
 *   $ said LEG, $ content LEG   the same of what a leg was told
 *   ~ …                  a command whose lines stand sorted: of what happens at
 *                        once, the order is none of its promises
 *
 * Each line that is printed begins with two blanks. The folder is printed as
 * DIR, the n-th message as IDn, a time as "T+SECONDS" since the start (to ten
 * seconds, from a minute on), and other numbers that differ from run to run as
 * "#" (worker_mask.c). RIG_SEED in the environment is another order of the
 * threads, under which the same must come out. With WORKER_SCRIPT_WRITE in the
 * environment the outputs are written into the file, to be read in its diff
 * before it is committed.
 */
#ifndef TESTS_UNIT_WORKER_SCRIPT_H
#define TESTS_UNIT_WORKER_SCRIPT_H

#include "relay/base/strbuf.h"

/* Plays tests/data/worker/NAME within a test of the rig; fails it at the first
 * line that differs. */
void worker_script_run(const char *name);
/* A test of the rig that plays NAME.txt. */
#define WORKER_SCRIPT(name)                                             \
	static void name(void)                                          \
	{                                                               \
		worker_script_run(#name ".txt");                        \
	}

/* Adds `text` without what differs from run to run. */
void worker_mask(struct strbuf *to, const char *text);
/* `text` with DIR and IDn as they truly are; borrowed until the next. */
const char *worker_unmask(const char *text);

#endif
