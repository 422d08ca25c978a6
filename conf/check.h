/* SPDX-License-Identifier: ISC
 *
 * One value against another: what would fail at the first message is refused
 * before the first connection. Reads certificate files; any thread.
 */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/parse.h"

/* Also brings routes into their canonical text and turns names into indexes.
 * `doc`: what `c` was made from. -1 and err->text "FILE:LINE: …". */
int conf_check(struct conf *c, const struct doc *doc, struct error *err)
    PH_CHECK;
/* conf/check_listen.c: the same for the listeners. */
int listens_check(struct conf *c, struct error *err) PH_CHECK;
/* conf/check_egress.c: the same for the ways out. */
int egresses_check(struct conf *c, const struct doc *doc, struct error *err)
    PH_CHECK;
/* conf/check_cutover.c: the same for waves and verdicts; after the rest. */
int cutover_check(struct conf *c, const struct doc *doc, struct error *err)
    PH_CHECK;
/* … what legs believe of us, and rewrite_sender; after the domains of srs and
 * return. */
int trust_check(struct conf *c, struct error *err) PH_CHECK;
/* conf/certs.c: checks that both files can be read and belong together, and
 * that no other user can read the key. -1 and err->text without
 * "FILE:LINE:". */
int certificate_check(const char *cert, const char *key, struct error *err)
    PH_CHECK;
/* conf/routes.c: the canonical text of a route, in `arena`; `both`: what that
 * word stands for, "" when it may not be used. NULL and err->text without
 * "FILE:LINE:". */
char *route_canonical(const struct conf *c, struct arena *arena,
    const char *text, const char *both, struct error *err) PH_CHECK;
/* conf/routes.c: `legs` of a domain are legs, and its own routes, which are
 * canonical by now, keep to them. -1 and err->text without "FILE:LINE:". */
int domain_legs_check(const struct conf *c, const struct conf_domain *d,
    struct error *err) PH_CHECK;

/* conf/secrets.c: the users of outbound.users. */
int secrets_users(struct conf *c, const struct doc *doc, struct error *err)
    PH_CHECK;
/* The keys of a file, one a line; empty lines and those with # are passed
 * over. */
int secrets_keys(const char *path, struct arena *a,
    struct conf_strings *keys_out, struct error *err);
/* The profiles that are compiled in; generic is one of them. */
struct profile_text {
	const char *name, *text;
};
extern const struct profile_text profile_text[];
extern const int profile_texts;

/* The first line of a file. */
int secrets_password(const char *path, struct arena *a, char **out,
    struct error *err);

#endif
