/* SPDX-License-Identifier: ISC
 *
 * A cutover table of a test.
 */
#include "tests/unit/table_tmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/change/table_make.h"
#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"

static const char conf_text[] =
    "hostname = \"relay.example.com\"\n"
    "postmaster = \"Admin@example.com\"\n"
    "public_address = { \"198.51.100.7\" }\n"
    "listen \"mx\" { address = { \"192.0.2.25:25\", \"[2001:db8::25]:25\" } }\n"
    "leg \"legacy\" { hosts = { \"192.0.2.10:25\" } }\n"
    "leg \"cloud\" { hosts = { \"192.0.2.20:25\" }\n"
    "  domains = { \"tenant.example\" } }\n"
    "leg \"third\" { hosts = { \"192.0.2.30:25\" } }\n"
    "egress \"out\" { hosts = { \"192.0.2.40:25\" } }\n"
    "domain \"example.com\" { route = \"legacy\" both = \"cloud+legacy\" }\n"
    "domain \"reject.example\" { route = \"legacy\" unknown = \"reject\" }\n"
    "domain \"defer.example\" { route = \"legacy\" unknown = \"defer\" }\n"
    "domain \"xn--bcher-kva.example\" { route = \"legacy\"\n"
    "  subaddress = \"\" }\n"
    "domain \"bare.example\" { moved_to = \"mx.example.net\" }\n"
    "domain \"acme.example\" { route = \"legacy\" customer = \"acme\"\n"
    "  legs = { \"legacy\", \"cloud\" } }\n"
    "domain \"beta.example\" { route = \"legacy\" customer = \"beta\" }\n";

struct table_tmp *table_tmp_new(const char *dir)
{
	struct table_tmp *t = NEW(struct table_tmp);
	static const char *const ends[] = {"", "-wal", "-shm"};
	struct error err;

	snprintf(t->path, sizeof(t->path), "%s/cutover.db", dir);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		char path[320];

		snprintf(path, sizeof(path), "%s%s", t->path, ends[i]);
		unlink(path);
	}
	t->names = names_new();
	t->c = conf_tmp_good(dir, conf_text, t->names);
	t->a = arena_new();
	if (table_prepare(t->path, t->c, "test", &err) < 0)
		fail_msg("%s", err.text);
	return t;
}

void table_tmp_free(struct table_tmp *t)
{
	arena_free(t->a);
	conf_unref(t->c);
	names_free(t->names);
	mem_free(t);
}

struct change *table_tmp_change(struct table_tmp *t)
{
	struct error err;
	struct change *ch = change_open(t->path, t->c, &err);

	if (ch == NULL)
		fail_msg("%s", err.text);
	return ch;
}

struct change_done table_tmp_commit(struct change *ch,
    const struct change_how *how)
{
	static const struct change_by by = {.who = "ann", .host = "host",
	    .command = "test", .note = "why"};
	struct change_done done;
	struct error err;

	if (change_commit(ch, how, &by, &done, &err) < 0)
		fail_msg("%s", err.text);
	change_close(ch);
	return done;
}

uint64_t table_tmp_set(struct table_tmp *t, const char *address,
    const struct change_row *row)
{
	static const struct change_how how = {.create = true, .as_of = -1};
	struct change *ch = table_tmp_change(t);
	struct error err;

	if (change_set(ch, slice_str(address), row, &err) < 0)
		fail_msg("%s: %s", address, err.text);
	return table_tmp_commit(ch, &how).change;
}

uint64_t table_tmp_route(struct table_tmp *t, const char *address,
    const char *route)
{
	struct change_row row = {.route = route, .held = -1};

	return table_tmp_set(t, address, &row);
}

struct table_row table_tmp_get(struct table_tmp *t, const char *key)
{
	struct table_row row = {0};
	struct error err;
	struct table *r = table_open(t->path, t->names, &err);

	if (r == NULL || table_get(r, slice_str(key), t->a, &row, &err) < 0)
		fail_msg("%s", err.text);
	table_close(r);
	return row;
}
