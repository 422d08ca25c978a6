/* SPDX-License-Identifier: ISC
 *
 * See cli_spf_rig.h.
 */
#include "tests/unit/cli_spf_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/spf/spf_starter.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/dnsserver.h"
#include "tests/unit/fakehelper.h"
#include "tests/unit/fakejudge.h"

/* clang-format off */
static const struct dnsserver_row zone[] = {
	{ "ours.example", "TXT", 0, "@ 600 TXT v=spf1 ip4:" US " -all" },
	{ "half.example", "TXT", 0, "@ 600 TXT v=spf1 ip4:" CLOUD " -all" },
	{ "soft.example", "TXT", 0, "@ 600 TXT v=spf1 ~all" },
	{ "bare.example", "TXT", 0, "@ 600 TXT v=spf1 -all" },
	{ "bad.example",  "TXT", 0, "@ 600 TXT v=spf1 moon:x" },
	{ "down.example", "TXT", 2, "" },
	{ "_dmarc.bare.example", "TXT", 0, "@ 600 TXT v=DMARC1; p=reject" },
	{ "_dmarc.half.example", "TXT", 0, "@ 600 TXT v=DMARC1; p=none" },
	{ "srs.example", "TXT", 0, "@ 600 TXT v=spf1 ip4:" US " ip4:" CLOUD " -all" },
	{ "mx.helo.example", "TXT", 0, "@ 600 TXT v=spf1 ip4:" US " -all" },
	{ 0 },
};
/* clang-format on */

/* ---- in place of posthouse-spf ------------------------------------------- */

struct spf_helper *spf_helper_new(const struct spf_helper_config *c)
{
	return fakehelper_new(c->loop, fakejudge, NULL);
}

bool __wrap_spf_program_find(char path_out[SPF_PROGRAM_BYTES]);
bool program_there = true;
bool __wrap_spf_program_find(char path_out[SPF_PROGRAM_BYTES])
{
	strcpy(path_out, "/nowhere/posthouse-spf");
	return program_there;
}

/* ---- the folder ---------------------------------------------------------- */

char printed[CLI_RIG_OUT];

static void write_conf(const char *dir, const char *more, int port)
{
	char text[4096];

	snprintf(text, sizeof(text), "hostname = \"relay.test\"\n"
	    "resolver { servers = \"127.0.0.1:%d\" timeout = 2000ms }\n"
	    "listen \"mx\" { address = \"127.0.0.1:1\" }\n"
	    "leg \"legacy\" { hosts = \"127.0.0.1:1\" tls = \"none\" }\n"
	    "egress \"main\" { hosts = \"127.0.0.1:9\" tls = \"none\"\n"
	    "    helo = \"mx.helo.example\" spf_address = \"" US "\" }\n"
	    "egress \"tenant\" { hosts = \"127.0.0.1:9\" tls = \"none\"\n"
	    "    senders = \"ours\" spf_address = \"" CLOUD "\" }\n"
	    "domain \"ours.example\" { route = \"legacy\" }\n"
	    "domain \"half.example\" { route = \"legacy\" }\n"
	    "domain \"bare.example\" { route = \"legacy\" }\n"
	    "domain \"strict.example\" { route = \"legacy\"\n"
	    "    spf_fail = \"refuse\" spf_temperror = \"defer\"\n"
	    "    unknown = \"route\" }\n"
	    "table { path = \"%s/cutover.db\" }\n"
	    "spool { path = \"%s/spool\" }\n"
	    "audit { path = \"%s\" }\n"
	    "control { socket = \"%s/sock\" }\n%s", port, dir, dir, dir, dir,
	    more);
	conf_tmp_write(dir, "posthouse.conf", text);
}

int run(const char *dir, const char *more, const char *line)
{
	struct loop *loop = loop_new(&clock_system);
	struct dnsserver server = {0};
	char text[1024];
	int code;

	conf_tmp_secret(dir, "srs.secrets", "0123456789abcdef\n");
	snprintf(text, sizeof(text), more, dir);
	dnsserver_open(&server, loop, zone);
	write_conf(dir, text, server.port);
	code = cli_rig_run(dir, line, loop, printed);
	dnsserver_close(&server);
	loop_free(loop);
	return code;
}

void says(const char *piece)
{
	if (strstr(printed, piece) == NULL)
		fail_msg("missing: %s\nin: %s", piece, printed);
}

/* ---- exact answers ------------------------------------------------------- */

static void mask_time(const char *before, char end)
{
	char *at = strstr(printed, before), *rest;

	if (at == NULL)
		return;
	at += strlen(before);
	rest = strchr(at, end);
	assert_non_null(rest);
	memcpy(at, "NOW", 3);
	memmove(at + 3, rest, strlen(rest) + 1);
}

void answers_are(const char *dir, const char *more,
    const struct answer *a, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(run(dir, more, a[i].line), 0);
		mask_time("counted since ",
		    strstr(printed, "signatures were") != NULL ? ';' : '\n');
		mask_time("\"since\":\"", '"');
		assert_string_equal(printed, a[i].out);
	}
}
