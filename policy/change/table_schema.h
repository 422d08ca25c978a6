/* SPDX-License-Identifier: ISC
 *
 * The schema of the cutover table, and the steps from older formats.
 * Constant.
 */
#ifndef POLICY_CHANGE_TABLE_SCHEMA_H
#define POLICY_CHANGE_TABLE_SCHEMA_H

/* Makes all of it in an empty file. */
extern const char table_schema[];
/* Format 1 to 2, and 2 to 3, inside a transaction of the caller, who fills the
 * chain of a table of format 1 (table_upgrade.c) before table_upgraded[] ends
 * it. */
extern const char table_upgrade_1[], table_upgrade_2[], table_upgraded[];

#endif
