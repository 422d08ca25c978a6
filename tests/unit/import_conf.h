/* SPDX-License-Identifier: ISC
 *
 * The configuration that imports are read by in tests: the legs legacy, cloud
 * (own domain tenant.example), third (by MX), twin1 and twin2 (one host), and
 * the domains example.com and b.example.
 */
#ifndef TESTS_UNIT_IMPORT_CONF_H
#define TESTS_UNIT_IMPORT_CONF_H

static const char import_conf[] =
    "hostname = \"relay.example.com\"\n"
    "leg \"legacy\" { hosts = { \"mail-old.example.com:25\" } }\n"
    "leg \"cloud\" { hosts = { \"192.0.2.20:25\", \"[2001:db8::20]:25\" }\n"
    "  domains = { \"tenant.example\" } }\n"
    "leg \"third\" { mx = \"by-mx.example\" }\n"
    "leg \"twin1\" { hosts = { \"twin.example:2525\" } }\n"
    "leg \"twin2\" { hosts = { \"twin.example:2626\" } }\n"
    "egress \"out\" { hosts = { \"192.0.2.40:25\" } }\n"
    "domain \"example.com\" { route = \"legacy\" }\n"
    "domain \"b.example\" { route = \"legacy\" }\n";

#endif
