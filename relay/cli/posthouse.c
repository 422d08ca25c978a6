/* SPDX-License-Identifier: ISC
 *
 * posthouse: the administrator's command line.
 */
#include "relay/cli/all_commands.h"
#include "relay/cli/command_line.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv, all_commands);
}
