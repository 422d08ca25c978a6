/* SPDX-License-Identifier: ISC
 *
 * The tables of waves. The state of a member is the number of enum
 * member_state, that of a wave its name. Members of one mailbox have one seat,
 * and slices take seats in order: the index has pending members alone, so that
 * a slice takes each out of it and puts none in.
 */
#include "policy/wave/file/wave_schema.h"

#define INDEXES \
	"CREATE INDEX IF NOT EXISTS member_seat ON member(wave, seat)" \
	" WHERE state = 0;" \
	"CREATE INDEX IF NOT EXISTS member_address ON member(address);"

const char wave_indexes[] = INDEXES;
const char wave_indexes_drop[] = "DROP INDEX IF EXISTS member_seat;"
    "DROP INDEX IF EXISTS member_address;";

const char wave_schema[] =
    "CREATE TABLE IF NOT EXISTS wave(wave INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE, state TEXT NOT NULL, run INTEGER NOT NULL,"
    " begun INTEGER NOT NULL, route TEXT NOT NULL, options TEXT NOT NULL,"
    " at INTEGER NOT NULL, reason TEXT NOT NULL, created INTEGER NOT NULL,"
    " moved INTEGER NOT NULL, who TEXT NOT NULL, host TEXT NOT NULL,"
    " note TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS member(wave INTEGER NOT NULL,"
    " address TEXT NOT NULL, state INTEGER NOT NULL, seat INTEGER NOT NULL,"
    " line INTEGER NOT NULL, was TEXT, run INTEGER NOT NULL,"
    " slice INTEGER NOT NULL, change INTEGER NOT NULL, gave TEXT NOT NULL,"
    " reason TEXT NOT NULL,"
    " PRIMARY KEY(wave, address)) WITHOUT ROWID;"
    INDEXES
    "CREATE TABLE IF NOT EXISTS slice(wave INTEGER NOT NULL,"
    " run INTEGER NOT NULL, slice INTEGER NOT NULL, time INTEGER NOT NULL,"
    " change INTEGER NOT NULL, members INTEGER NOT NULL,"
    " PRIMARY KEY(wave, run, slice)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS slice_time ON slice(time);"
    "CREATE TABLE IF NOT EXISTS exclude(exclude INTEGER PRIMARY KEY,"
    " expression TEXT NOT NULL UNIQUE, time INTEGER NOT NULL,"
    " who TEXT NOT NULL, host TEXT NOT NULL, note TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS soak(wave INTEGER NOT NULL,"
    " run INTEGER NOT NULL, slice INTEGER NOT NULL, began INTEGER NOT NULL,"
    " since INTEGER NOT NULL, looked INTEGER NOT NULL,"
    " ended INTEGER NOT NULL, end TEXT NOT NULL, told INTEGER NOT NULL,"
    " back INTEGER NOT NULL, who TEXT NOT NULL, of_leg INTEGER NOT NULL,"
    " base_delivered INTEGER NOT NULL, base_failed INTEGER NOT NULL,"
    " base_trouble INTEGER NOT NULL, was_delivered INTEGER NOT NULL,"
    " was_failed INTEGER NOT NULL, was_trouble INTEGER NOT NULL,"
    " delivered INTEGER NOT NULL, failed INTEGER NOT NULL,"
    " trouble INTEGER NOT NULL, users INTEGER NOT NULL,"
    " complaints INTEGER NOT NULL,"
    " PRIMARY KEY(wave, run, slice)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS complaint(complaint INTEGER PRIMARY KEY,"
    " address TEXT NOT NULL, time INTEGER NOT NULL, who TEXT NOT NULL,"
    " host TEXT NOT NULL, note TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS complaint_time ON complaint(time);";
