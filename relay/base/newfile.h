/* SPDX-License-Identifier: ISC
 *
 * A new file that has its name only when it is whole: what a killed command
 * leaves is called NAME.part. Any thread.
 */
#ifndef RELAY_BASE_NEWFILE_H
#define RELAY_BASE_NEWFILE_H

#include <limits.h>

enum { NEWFILE_PATH = PATH_MAX + 8 };

/* Opens NAME.part to be written, mode 0600; what an earlier command left there
 * goes. -1 and errno: EEXIST if there is a file `name`. */
int newfile_open(const char *name, char part_out[NEWFILE_PATH]);
/* Gives it its name; a file that has it is not replaced. -1 and errno. */
int newfile_keep(const char *part, const char *name);

#endif
