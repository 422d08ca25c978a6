/* SPDX-License-Identifier: ISC
 *
 * Transcripts of `posthouse`: a file of tests/data/cli has command lines and
 * all that each prints. A line of it is, by its beginning:
 *
 *   # …               a comment; a blank line is none of what is printed
 *   file NAME         writes DIR/NAME, of the lines "| …" behind it
 *   secret NAME       the same, and no other user can read it
 *   sql NAME          runs these lines on the database DIR/NAME; there
 *                     key('ann@a.example') is its number in ledger.db
 *   show NAME         prints DIR/NAME
 *   dns NAME TYPE [RCODE]  what a name server answers to that from here on,
 *                     "127.0.0.1:DNSPORT": the lines "| …" behind it, as
 *                     dnsserver.h has them; to all else: no such name
 *   time RFC3339      what the clock says from here on (2027-01-15T08:00:00Z)
 *   daemon COMMAND    what a daemon answers to that from here on:
 *   < {…}             a row of the answer
 *   < more            it asks for a further line
 *   < end CODE TEXT   its end; without this line it is 0
 *   no daemon         from here on
 *   $ LINE            runs `posthouse LINE`; words are parted as by
 *                     cli_rig_run(). Behind it stands what the daemon was
 *                     asked ("> COMMAND {…}", a further line "> + {…}"), what
 *                     was printed, each line behind two blanks, and if it is
 *                     not 0 the exit code: "[1]". A line that is empty or ends
 *                     with a blank ends here with "\", one without an end of
 *                     line with "%".
 *   ~ LINE            the same; the lines that it prints stand sorted
 *
 * DIR is the test's folder. The user is ann(1000), the host relay.test and the
 * zone UTC: programs that link this wrap clock_gettime, gethostname and
 * who_self (cli_script_ldflags in relay/cli/Makefile.inc). With
 * CLI_SCRIPT_WRITE in the environment the outputs are written into the file,
 * to be read in its diff before it is committed.
 */
#ifndef TESTS_UNIT_CLI_SCRIPT_H
#define TESTS_UNIT_CLI_SCRIPT_H

/* Runs tests/data/cli/NAME in the folder; fails the test at the first line
 * that prints something else. */
void cli_script_run(const char *dir, const char *name);

#endif
