/* SPDX-License-Identifier: ISC
 *
 * Configuration files of a test: a directory that goes away again.
 */
#ifndef TESTS_UNIT_CONF_TMP_H
#define TESTS_UNIT_CONF_TMP_H

#include "conf/conf.h"

/* The least that is a whole configuration; three lines. */
#define CONF_BASE                                                     \
	"hostname = \"relay.example.com\"\n"                          \
	"leg \"legacy\" { hosts = { \"192.0.2.10:25\" } }\n"          \
	"domain \"example.com\" { route = \"legacy\" }\n"

/* CMocka group fixtures; *state is the directory's name. */
int conf_tmp_setup(void **state);
int conf_tmp_teardown(void **state);

/* Writes DIR/name and returns its path, which lives until the next call. */
const char *conf_tmp_write(const char *dir, const char *name,
    const char *text);
/* The same, and no other user can read it. */
const char *conf_tmp_secret(const char *dir, const char *name,
    const char *text);
/* Loads `text` as DIR/posthouse.conf. */
struct conf *conf_tmp_load(const char *dir, const char *text,
    struct names *names, struct error *err);
/* The same, and it must be right. */
struct conf *conf_tmp_good(const char *dir, const char *text,
    struct names *names);

#endif
