/* SPDX-License-Identifier: ISC
 *
 * Finds the control socket in a configuration that cannot be read as a whole,
 * so that the command line can still ask the daemon, which runs with what it
 * read before.
 */
#ifndef RELAY_CLI_COMMON_SALVAGE_H
#define RELAY_CLI_COMMON_SALVAGE_H

#include "relay/base/strbuf.h"

/* The value of control.socket in `file` or in what it includes; its default
 * where none is found. */
void conf_salvage_socket(const char *file, struct strbuf *path_out);

#endif
