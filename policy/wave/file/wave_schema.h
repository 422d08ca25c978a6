/* SPDX-License-Identifier: ISC
 *
 * The tables of waves in the file of the cutover table. Constant.
 *
 *   wave     a row a wave
 *   member   a row a member; its route at creation, its state
 *   slice    a row a slice, unique in wave and run
 *   exclude  rules that leave recipients out
 *   soak     a row a slice that is or was watched, and its figures
 *   complaint  a row a complaint that a person took down
 *
 * They are no part of the table's format: a program that does not know them
 * leaves them alone, copies and restores them with the rest. Decisions are in
 * the table `decision` of the format itself.
 */
#ifndef POLICY_WAVE_FILE_WAVE_SCHEMA_H
#define POLICY_WAVE_FILE_WAVE_SCHEMA_H

extern const char wave_schema[];
/* Makes the indexes of `member` where they are not; takes them away. */
extern const char wave_indexes[], wave_indexes_drop[];

#endif
