/* SPDX-License-Identifier: ISC
 *
 * Refuses staged changes that would touch addresses without a row, take a
 * later flip back, give a group a copy, cross the legs of a domain or the
 * line between two customers. Asked of the table under the write lock (or,
 * for a preview, in one read snapshot).
 */
#include <inttypes.h>
#include <stdio.h>

#include "policy/change/change_int.h"

static int check_missing(struct change *ch, enum change_statement which,
    uint64_t number, struct error *err)
{
	sqlite3_stmt *st;
	int rc = change_ask(ch, which, (int64_t)number, &st, err);
	long long missing = rc > 0 ? sqlite3_column_int64(st, 0) : 0;

	if (missing == 1)
		rc = error_set(err, "%s has no row; nothing was changed",
		    db_str(st, 1));
	else if (missing > 1)
		rc = error_set(err, "%lld addresses have no row, among them "
		    "%s; nothing was changed", missing, db_str(st, 1));
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

static int check_routes_given(struct change *ch, struct error *err)
{
	sqlite3_stmt *st;
	struct error why;
	int rc = change_ask(ch, CS_ROUTELESS, 0, &st, err);

	while (rc > 0) {
		error_set(&why, "%s is new and needs a route", db_str(st, 1));
		change_fault(ch, (uint64_t)sqlite3_column_int64(st, 0),
		    why.text);
		rc = change_next(ch, st, err);
	}
	sqlite3_reset(st);
	return rc < 0 ? -1 : change_faulty(ch, err);
}

/* --as-of with a number above the newest change would allow every row. */
static int check_given(struct change *ch, int64_t as_of, struct error *err)
{
	sqlite3_stmt *st;
	int rc = change_ask(ch, CS_NEWEST, 0, &st, err);
	long long newest = rc > 0 ? sqlite3_column_int64(st, 0) : 0;

	if (rc > 0 && as_of > newest)
		rc = error_set(err, "there is no change %" PRId64 " yet: the "
		    "newest is %lld; --as-of is the newest that the file "
		    "knows of", as_of, newest);
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

static int check_as_of(struct change *ch, int64_t as_of, struct error *err)
{
	sqlite3_stmt *st;
	int rc = change_ask(ch, CS_AS_OF, as_of, &st, err);

	if (rc > 0 && sqlite3_column_int64(st, 0) > 0)
		rc = error_set(err, "the routes of %lld rows were changed "
		    "after change %" PRId64 " (up to change %lld), among them "
		    "%s; --force changes them anyway",
		    (long long)sqlite3_column_int64(st, 0), as_of,
		    (long long)sqlite3_column_int64(st, 2), db_str(st, 1));
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

/* With a copy on a second leg, a group's members would get each message twice
 * and a room would answer twice. */
static int check_twofold(struct change *ch, struct error *err)
{
	sqlite3_stmt *st;
	int rc = change_ask(ch, CS_TWOFOLD, 0, &st, err);
	long long n = rc > 0 ? sqlite3_column_int64(st, 0) : 0;
	long long line = rc > 0 ? sqlite3_column_int64(st, 2) : 0;
	char where[40] = "", others[60] = "";

	if (n > 0 && line > 0)
		snprintf(where, sizeof(where), "line %lld: ", line);
	if (n > 1)
		snprintf(others, sizeof(others), " (and %lld more)", n - 1);
	if (n > 0)
		rc = error_set(err, "%s%s%s is a group or a room (tag kind=): "
		    "with a copy its mail would be distributed twice; give it "
		    "one leg, or say --force", where, db_str(st, 1), others);
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

static bool has_legs(const struct conf *c)
{
	for (int i = 0; i < c->domains; i++)
		if (c->domain[i].legs.count > 0)
			return true;
	return false;
}

/* Routes that no one wrote for the row itself: an undo, a mailbox's other
 * addresses, the route of the domain. */
static int check_routes(struct change *ch, struct error *err)
{
	sqlite3_stmt *st;
	struct error why;
	int rc;

	if (!has_legs(ch->conf))
		return 0;
	rc = change_ask(ch, CS_CROSSING, 0, &st, err);
	while (rc > 0) {
		if (change_may_use(ch, db_text(st, 0), db_text(st, 2),
			&why) < 0)
			change_fault(ch,
			    (uint64_t)sqlite3_column_int64(st, 1), why.text);
		rc = change_next(ch, st, err);
	}
	sqlite3_reset(st);
	return rc < 0 ? -1 : change_faulty(ch, err);
}

static bool has_customers(const struct conf *c)
{
	for (int i = 0; i < c->domains; i++)
		if (c->domain[i].customer[0] != '\0')
			return true;
	return false;
}

static int name_shared(struct change *ch, enum change_statement which,
    bool all, struct error *err)
{
	sqlite3_stmt *st;
	struct error why;
	int rc = change_ask(ch, which, all, &st, err);

	while (rc > 0) {
		error_set(&why, "%s would share its mailbox with %s of "
		    "another customer; give them two, or flip with "
		    "--only-address", db_str(st, 0), db_str(st, 2));
		change_fault(ch, (uint64_t)sqlite3_column_int64(st, 1),
		    why.text);
		rc = change_next(ch, st, err);
	}
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

/* Addresses of one mailbox flip together, so it must not be one of two
 * customers. */
static int check_shared(struct change *ch, bool widened, struct error *err)
{
	if (!has_customers(ch->conf))
		return 0;
	if (name_shared(ch, CS_SHARED, widened, err) < 0 ||
	    name_shared(ch, CS_SHARED_STAGED, false, err) < 0)
		return -1;
	return change_faulty(ch, err);
}
int change_check_crossing(struct change *ch, const struct change_how *how,
    struct error *err)
{
	return check_routes(ch, err) < 0
		   ? -1 : check_shared(ch, how->mailboxes, err);
}

int change_check(struct change *ch, const struct change_how *how,
    struct error *err)
{
	if (how->create && check_routes_given(ch, err) < 0)
		return -1;
	if (!how->create && (ch->removes || !ch->commits) &&
	    check_missing(ch, CS_MISSING, 0, err) < 0)
		return -1;
	if (!how->twice && (ch->twofold || how->inherit) &&
	    check_twofold(ch, err) < 0)
		return -1;
	if (how->as_of >= 0 && check_given(ch, how->as_of, err) < 0)
		return -1;
	if (how->as_of >= 0 && !how->keep &&
	    check_as_of(ch, how->as_of, err) < 0)
		return -1;
	return change_check_crossing(ch, how, err);
}

int change_check_log(struct change *ch, const struct change_how *how,
    uint64_t number, struct error *err)
{
	bool given = how->undo == 0 &&
		     (how->part == NULL || how->part->stage == NULL);

	/* To look for each row beforehand would cost as much as the log. */
	return !ch->made || !given || how->create
		   ? 0 : check_missing(ch, CS_MADE, number, err);
}
