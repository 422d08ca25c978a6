/* SPDX-License-Identifier: ISC
 *
 * The folders that the daemon writes, as its configuration names them. What
 * the sandbox opens, and what other users must not write. Main thread.
 */
#ifndef RELAY_DAEMON_PLACES_H
#define RELAY_DAEMON_PLACES_H

#include <limits.h>

#include "conf/conf.h"

enum place_use {
	PLACE_KEEP, /* files are made, written and removed */
	PLACE_ADD,  /* a file is made and appended to      */
	PLACE_BIND, /* a socket                            */
};

struct place {
	const char *section, *key; /* of the configuration                */
	size_t path;	/* in struct conf                                 */
	bool is_folder; /* itself; else the folder that it is in counts   */
	bool truth;	/* what is in it is believed: not in /tmp         */
	enum place_use use;
};

/* Row `i`, or NULL behind the last. */
const struct place *place_at(size_t i);
/* The path by the configuration; "" : none. */
const char *place_path(const struct place *p, const struct conf *c);
/* The folder that counts; the caller frees it with mem_free(). */
char *place_folder(const struct place *p, const struct conf *c);

/* The folder of the i-th file of `coexist`, where files are kept as in
 * PLACE_KEEP; the caller's. NULL behind the last. */
char *place_coexist(const struct conf *c, int i);

/* The first place that every user of this machine can write: a folder of the
 * daemon's, or a file. In a folder with the sticky bit (/tmp) a log or a
 * socket may be, the table and the spool may not. */
struct place_open {
	const char *section, *key;
	char path[PATH_MAX];
};
bool place_open_to_all(const struct conf *c, struct place_open *open_out);

/* The same as an error: such a user decides what becomes of mail. */
int place_check_private(const struct conf *c, struct error *err) PH_CHECK;

/* The key of the configuration that names the folder in which `path` lies,
 * where the daemon may write; NULL: there is none. */
const char *place_may_write(const struct conf *c, const char *path);

#endif
