/* SPDX-License-Identifier: ISC
 *
 * posthouse: the administrator's command line.
 */
#include "relay/cli/common/cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
