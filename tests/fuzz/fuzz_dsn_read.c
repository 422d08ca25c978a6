/* SPDX-License-Identifier: ISC
 *
 * Reports that come to our return addresses: whatever they are, what is made
 * of them is short, printable and of the words that there are.
 */
#include "relay/base/utf8.h"
#include "relay/mail/domain.h"
#include "relay/mail/dsn_read.h"
#include "tests/fuzz/fuzz.h"

static void check_text(const char *text, size_t size)
{
	struct slice s = slice_str(text);

	must(s.n < size && !has_control(s) && utf8_valid(s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice message = slice_of(data, size);
	struct dsn_said said;

	if (!dsn_read(message, &said))
		must(said.action[0] == '\0' && said.status[0] == '\0' &&
		     said.address[0] == '\0');
	check_text(said.action, sizeof(said.action));
	check_text(said.status, sizeof(said.status));
	check_text(said.address, sizeof(said.address));
	for (const char *p = said.status; *p != '\0'; p++)
		must(ascii_digit(*p) || *p == '.');
	return 0;
}
