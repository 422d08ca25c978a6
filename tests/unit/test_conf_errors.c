/* SPDX-License-Identifier: ISC
 *
 * Bad files, and the whole sentence each of them ends in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/conf_tmp.h"

#define B CONF_BASE
#define LEG "leg \"legacy\" { hosts = { \"192.0.2.10:25\" } }\n"
#define HOST "hostname = \"relay.example.com\"\n"
#define DOM "domain \"example.com\" { route = \"legacy\" }\n"

struct bad {
	const char *text, *says; /* behind "posthouse.conf:" */
};

/* clang-format off */
static const struct bad form[] = {
	{ B "leg \"x\" {\n hosts = { \"a\" }\n",
	  "4: the section that begins here is not closed; end it with }" },
	{ B "leg \"x\" {\n hosts = { \"a\"\n}\n",
	  "4: the section that begins here is not closed; end it with }" },
	{ B "limits {\n errors = 5\n\nretry {\n}\n",
	  "4: the section that begins here is not closed before the next one; end it with }" },
	{ B "leg \"x\" {\n hosts = {\n \"a\",\n",
	  "5: the list that begins here is not closed; end it with }" },
	{ B "leg \"x\" {\n hosts = {\n clients = {\n } } }\n",
	  "5: the list that begins here is not closed; end it with }" },
	{ B "limits { errors = 5 }\n}\n", "5: this } closes nothing; remove it" },
	{ B "# } { \"\n/* { \n \" */ postmaster = \"x\n",
	  "6: this string is not closed in its line; end it with \"" },
	{ B "postmaster = 'x\ny'\n", "4: this string is not closed in its line; end it with '" },
	{ B "\n/* open\n\n", "5: this comment is never closed; end it with */" },
	{ B "postmaster = \"a\\b@example.com\"\n",
	  "4: there is a \\ in this string; write \\\\ if it is meant" },
	{ B "postmaster = \"${X\"\nlimits { }\n",
	  "4: there is a ${ without a } in this string; write \\$ if it is meant" },
	{ B "postmaster = ${HOME}\n", "4: there is a ${ outside quotes; put the value into \"\"" },
	{ B "domain \"b.example\" { route = a+b }\n",
	  "4: there is a + outside quotes; put the value into \"\"" },
	{ B "limits|errors = 3\n",
	  "4: there is a | in this key; write the key inside its section" },
	{ B "workers 3\n", "4: \"workers\" has no = behind it; write a key as  name = \"value\"" },
	{ B "\n\nlimits = 3\n",
	  "6: \"limits\" has no { behind it; write a section as  section { ... }  "
	  "or  section \"name\" { ... }" },
	{ B "leg { hosts = { \"a\" } }\n",
	  "4: \"leg\" has no name; write it as  section \"name\" { ... }" },
	{ B "limits \"x\" { errors = 3 }\n",
	  "4: \"limits\" has no { behind it; write a section as  section { ... }  "
	  "or  section \"name\" { ... }" },
	{ B "workers = { 3 }\n",
	  "4: \"{\" is not expected here; write a key as  name = \"value\"  "
	  "or  name = { \"a\", \"b\" }" },
	{ B "leg \"x\" { hosts = { \"a\" \"b\" } }\n",
	  "4: \"b\" is not expected here; write a key as  name = \"value\"  "
	  "or  name = { \"a\", \"b\" }" },
	{ B "workers += 3\n", "4: \"workers\" takes one value; write = instead of +=" },
	{ B "workers =\n", "5: this is not complete or not in order; "
	  "posthouse.conf(5) shows how it is written" },
	{ B "\"\" = 3\n", "4: this cannot be read; posthouse.conf(5) shows how it is written" },
	{ B "include \"x\"\n", "4: \"include\" is written  include(\"FILE\")" },
	{ B "include(\"x\" \"y\")\n", "4: include takes one file; write include(\"FILE\")" },
	{ B "include(\n)\n", "5: include takes one file; write include(\"FILE\")" },
	{ B "include(\"x", "4: this string is not closed in its line; end it with \"" },
	{ B "include(", "4: include takes one file; write include(\"FILE\")" },
	{ B "hostname(\"x\")\n",
	  "4: \"hostname\" has no = behind it; write a key as  name = \"value\"" },
	{ B "include(\"x\", \"y\")\n", "4: include takes one file; write include(\"FILE\")" },
};

static const struct bad names_of_things[] = {
	{ B "# one\n// two\n/* three\n */ comand_timeout = \"5m\"\n",
	  "7: unknown name \"comand_timeout\"; posthouse.conf(5) lists those of the top level" },
	{ B "limits {\n # c\n comand_timeout = \"5m\"\n}\n",
	  "6: unknown key \"comand_timeout\"; did you mean \"command_timeout\"?" },
	{ B "limit { }\n", "4: unknown name \"limit\"; did you mean \"limits\"?" },
	{ B "legx \"x\" { }\n", "4: unknown name \"legx\"; did you mean \"leg\"?" },
	{ B "leg \"x\" { nonsense = 3 }\n",
	  "4: unknown key \"nonsense\"; posthouse.conf(5) lists those of section leg" },
	{ B "recipients = 3\n", "4: \"recipients\" does not belong here; it stands in limits" },
	{ B "connections = 3\n",
	  "4: \"connections\" does not belong here; it stands in leg or egress or limits" },
	{ B "limits { hostname = \"x\" }\n",
	  "4: \"hostname\" does not belong here; it stands in no section" },
	{ B "errors_errors_errors_errors_errors_errors_errors_errors_errors_errors = 3\n",
	  "4: unknown name \"errors_errors_errors_errors_errors_error\"; "
	  "posthouse.conf(5) lists those of the top level" },
	{ B "Hostname = \"x\"\n", "4: unknown name \"Hostname\"; did you mean \"hostname\"?" },
	{ B "leg \"x\" { include(\"y\") }\n",
	  "4: \"include\" does not belong here; it stands in no section" },
	{ B "http { address = \"[::1]:80\" }\n",
	  "4: \"http\" is not supported by this version; remove it" },
	{ B "outbound { use = { \"x\" } }\n",
	  "4: outbound.use: there is no egress \"x\"; name one that has a section" },
	{ B "egress \"x\" { direct = true }\noutbound { use = { \"x\" } }\n",
	  "4: egress \"x\" is in outbound.use, and by no address could SPF judge it; "
	  "write spf_address = { \"198.51.100.7\" }" },
	{ B "egress \"x\" { hosts = { \"a\" } }\noutbound { use = { \"x\" } }\n",
	  "4: egress \"x\" is in outbound.use, and by no address could SPF judge it; "
	  "write spf_address = { \"198.51.100.7\" } or spf_include = \"DOMAIN\"" },
	{ B "egress \"x\" { direct = true source = \"10.0.0.1\" }\n"
	  "outbound { use = { \"x\" } }\n",
	  "4: egress \"x\" is in outbound.use, and by no address could SPF judge it; "
	  "write spf_address = { \"198.51.100.7\" }" },
	{ B "egress \"x\" { direct = true spf_include = \"a.example\" }\n"
	  "outbound { use = { \"x\" } }\n",
	  "4: egress \"x\" is direct, so receivers see addresses of ours; "
	  "write spf_address instead of spf_include" },
	{ B "egress \"x\" { direct = true spf_address = { \"192.0.2.7\" } family = \"ipv6\" }\n"
	  "outbound { use = { \"x\" } }\n",
	  "4: egress \"x\" has family = \"ipv6\", and the addresses that receivers see are not "
	  "of that family; correct one of the two" },
	{ B "egress \"x\" { direct = true spf_address = { \"192.0.2.7\" } }\n"
	  "outbound {\n use = { \"x\", \"x\" } }\n",
	  "6: outbound.use names \"x\" twice; name it once" },
	{ B "wave {\n zone = \"Europe/Londen\"\n}\n",
	  "5: wave.zone: there is no zone \"Europe/Londen\"; "
	  "write a name of /usr/share/zoneinfo, as \"Europe/London\" or "
	  "\"UTC\"" },
	{ B "wave {\n zone = \"../passwd\"\n}\n", "5: wave.zone: there is no zone \"../passwd\""
	  "; write a name of /usr/share/zoneinfo, as \"Europe/London\" or "
	  "\"UTC\"" },
	{ B "wave {\n blackout = { \"Sat-Sun\",\n \"Monday 07:00\" }\n}\n",
	  "6: blackout \"Monday 07:00\" is not a time of the week or between dates; write it as "
	  "\"Mon-Fri 07:00-19:00 Europe/London\" (each day), \"Fri 19:00-Mon 07:00\" (one "
	  "span) or \"2026-12-24-2027-01-02\"" },
	{ B "wave {\n blackout = { \"Mon-Fri 19:00-19:00\" }\n}\n",
	  "5: blackout \"Mon-Fri 19:00-19:00\" ends when it begins or before; write a later end" },
	{ B "wave {\n blackout = { \"Sat-Sun Europe/Londen\" }\n}\n",
	  "5: wave.blackout: the blackout \"Sat-Sun Europe/Londen\": there is no zone "
	  "\"Europe/Londen\"; write a name of /usr/share/zoneinfo, as \"Europe/London\" or "
	  "\"UTC\"" },
	{ B "wave {\n blackout = { \"Mon-Sun\" }\n}\n",
	  "5: wave.blackout: the blackouts leave no moment without one; leave a gap in the week" },
	{ B "wave {\n per_hour = -1\n}\n",
	  "5: per_hour \"-1\" is not a number; write digits only" },
	{ B "dsn {\n via = \"mx\"\n gard = \"fail\"\n}\n",
	  "6: unknown key \"gard\"; did you mean \"guard\"?" },
	{ B "table { engine = \"postgresql\" }\n",
	  "4: engine \"postgresql\" is not supported by this version; write sqlite" },
	{ B "hostname = \"b.example.com\"\n",
	  "4: key \"hostname\" stands twice; keep this one or that of posthouse.conf:1" },
	{ B "leg \"x\" {\n hosts = { \"a\" }\n tls = \"may\"\n hosts = { \"b\" }\n}\n",
	  "7: key \"hosts\" stands twice; keep this one or that of posthouse.conf:5" },
	{ B "limits { }\nretry { }\nlimits { errors = 3 }\n",
	  "6: section \"limits\" stands twice; put all its keys into that of posthouse.conf:4" },
	{ B "leg \"legacy\" { hosts = { \"b\" } }\n",
	  "4: \"legacy\" names two sections; give each a name of its own" },
	{ B "listen \"a\" { }\nlisten \"a\" { }\n",
	  "5: \"a\" names two sections; give each a name of its own" },
	{ B "domain \"EXAMPLE.com\" { }\n",
	  "4: domain \"example.com\" stands twice; keep this one or that of posthouse.conf:3" },
	{ B "egress \"legacy\" { direct = true }\n",
	  "4: \"legacy\" is also the name of the leg of posthouse.conf:2; "
	  "give one of them another" },
};

static const struct bad values[] = {
	{ B "limits { command_timeout = \"5\" }\n",
	  "4: command_timeout \"5\" is not a duration; "
	  "write \"100ms\", \"90s\", \"5m\", \"2h\", \"7d\" or \"1w\"" },
	{ B "limits { command_timeout = \"2d\" }\n",
	  "4: command_timeout \"2d\" is out of range; write 10ms to 1d" },
	{ B "limits { command_timeout = \"99999999999999999999s\" }\n",
	  "4: command_timeout \"99999999999999999999s\" is not a duration; "
	  "write \"100ms\", \"90s\", \"5m\", \"2h\", \"7d\" or \"1w\"" },
	{ B "limits {\n message = \"2T\" }\n",
	  "5: message \"2T\" is out of range; write 64K to 1G" },
	{ B "limits { message = \"many\" }\n",
	  "4: message \"many\" is not a size; write bytes, or \"64K\", \"50M\", \"2G\" or \"1T\"" },
	{ B "limits { recipients = -5 }\n",
	  "4: recipients \"-5\" is not a number; write digits only" },
	{ B "limits { recipients = 50 }\n",
	  "4: recipients \"50\" is out of range; write 100 to 50000" },
	{ B "workers = 1000\n", "4: workers \"1000\" is out of range; write 0 to 256" },
	{ B "retry { steps = { \"1m\", \"5x\" } }\n",
	  "4: steps \"5x\" is not a duration; "
	  "write \"100ms\", \"90s\", \"5m\", \"2h\", \"7d\" or \"1w\"" },
	{ B "soft_bounce = maybe\n", "4: soft_bounce \"maybe\" is unknown; write true or false" },
	{ B "leg \"x\" { hosts = { \"a\" } tls = may; }\n",
	  "4: tls \"may;\" is unknown; write none, may, encrypt, verify or dane" },
	{ B "spool { path = \"spool\" }\n",
	  "4: path \"spool\" is not a file name; write the whole path, beginning with /" },
	{ B "spool { path = \"\" }\n",
	  "4: path \"\" is not a file name; write the whole path, beginning with /" },
	{ B "domain \"b.example\" { subaddress = \"++\" }\n",
	  "4: subaddress \"++\" is not a separator; "
	  "write one of ! # $ % & ' * + - / = ? ^ _ ` { | } ~ . or \"\"" },
	{ B "listen \"a\" { address = { \"mail.example.com:25\" } }\n",
	  "4: address \"mail.example.com:25\" is no address with a port from 0 to 65535; "
	  "write it like \"192.0.2.1:25\" or \"[::]:25\"" },
	{ B "listen \"a\" { address = { \"192.0.2.1:65536\" } }\n",
	  "4: address \"192.0.2.1:65536\" is no address with a port from 0 to 65535; "
	  "write it like \"192.0.2.1:25\" or \"[::]:25\"" },
	{ B "leg \"x\" {\n hosts = { \"a\",\n \"192.0.2.256:25\" } }\n",
	  "6: hosts \"192.0.2.256:25\" is no host with a port from 1 to 65535; "
	  "write it like \"mail.example.com:25\" or \"[2001:db8::1]:25\"" },
	{ B "leg \"x\" { hosts = { \"a:0\" } }\n",
	  "4: hosts \"a:0\" is no host with a port from 1 to 65535; "
	  "write it like \"mail.example.com:25\" or \"[2001:db8::1]:25\"" },
	{ B "leg \"x\" { hosts = { \"a\" } source = \"a.example\" }\n",
	  "4: source \"a.example\" is not an address; "
	  "write it like \"192.0.2.1\" or \"2001:db8::1\"" },
	{ B "leg \"x\" { hosts = { \"a\" } clients = { \"192.0.2.1/24\" } }\n",
	  "4: clients \"192.0.2.1/24\" has bits set beyond its prefix length; "
	  "write it like \"192.0.2.0/24\" or \"2001:db8::1\"" },
	{ B "leg \"x\" { hosts = { \"a\" } clients = { \"010.0.0.1\" } }\n",
	  "4: clients \"010.0.0.1\" is not an address or a network; "
	  "write it like \"192.0.2.0/24\" or \"2001:db8::1\"" },
	{ B "leg \"x\" { hosts = { \"a\" } clients = { \"192.0.2.0/33\" } }\n",
	  "4: clients \"192.0.2.0/33\" has a prefix length that is not 0 to 32; "
	  "write it like \"192.0.2.0/24\" or \"2001:db8::1\"" },
	{ B "leg \"x\" { hosts = { \"a\" } tls_fingerprint = { \"00:11\" } }\n",
	  "4: tls_fingerprint \"00:11\" is not a fingerprint; "
	  "write the 64 hex digits of a SHA-256, with or without colons" },
	{ B "leg \"x\" { hosts = { \"a\" } auth_user = \"a\tb\" }\n",
	  "4: auth_user \"a\tb\" is not a text; write printable characters, at most 200" },
	{ B "postmaster = \"nobody\"\n",
	  "4: postmaster \"nobody\" is not a mail address (No domain in address); "
	  "write it like \"admin@example.com\"" },
	{ "hostname = \"192.0.2.1\"\n" LEG DOM,
	  "1: hostname \"192.0.2.1\" is not a domain name "
	  "(it ends in a number); write it like \"example.com\"" },
	{ "hostname = \"-x-\"\n" LEG DOM,
	  "1: hostname \"-x-\" is not a domain name "
	  "(Label of domain begins or ends with a hyphen); "
	  "write it like \"example.com\"" },
};

#define STRANGERS \
	" would trust strangers; name your own networks, IPv4 from /8 and IPv6 from /16 on"

static const struct bad open_relays[] = {
	{ B "leg \"x\" { hosts = { \"a\" } clients = { \"0.0.0.0/0\" } }\n",
	  "4: clients \"0.0.0.0/0\"" STRANGERS },
	{ B "leg \"x\" { hosts = { \"a\" } clients = { \"128.0.0.0/1\" } }\n",
	  "4: clients \"128.0.0.0/1\"" STRANGERS },
	{ B "leg \"x\" { hosts = { \"a\" } clients = { \"::/0\" } }\n",
	  "4: clients \"::/0\"" STRANGERS },
	{ B "leg \"x\" { hosts = { \"a\" } clients = { \"2000::/3\" } }\n",
	  "4: clients \"2000::/3\"" STRANGERS },
	{ B "leg \"x\" { hosts = { \"a\" } clients = { \"::ffff:0:0/96\" } }\n",
	  "4: clients \"::ffff:0:0/96\"" STRANGERS },
	{ B "listen \"a\" { proxy_from = { \"0.0.0.0/0\" } }\n",
	  "4: proxy_from \"0.0.0.0/0\"" STRANGERS },
	{ B "listen \"a\" { bare_newline_clients = { \"::/0\" } }\n",
	  "4: bare_newline_clients \"::/0\"" STRANGERS },
};

static const struct bad sense[] = {
	{ LEG DOM, "1: hostname is not set; add hostname = \"relay.example.com\"" },
	{ HOST DOM, "1: there is no leg; add  leg \"legacy\" "
	  "{ hosts = { \"mail.example.com:25\" } }" },
	{ HOST "egress \"e\" { direct = true }\n" DOM, "1: there is no leg; add  leg \"legacy\" "
	  "{ hosts = { \"mail.example.com:25\" } }" },
	{ HOST LEG, "1: there is no domain; add  domain \"example.com\" { route = \"legacy\" }" },
	{ B "leg \"Cloud\" { hosts = { \"a\" } }\n",
	  "4: \"Cloud\" is no name for a leg; "
	  "write lower-case letters, digits, - and _, at most 32" },
	{ B "leg \"a+b\" { hosts = { \"a\" } }\n",
	  "4: \"a+b\" is no name for a leg; "
	  "write lower-case letters, digits, - and _, at most 32" },
	{ B "\nleg \"both\"\n{ hosts = { \"a\" } }\n",
	  "6: \"both\" is a word of routes; give the leg another name" },
	{ B "egress \"mx\" { direct = true }\n",
	  "4: \"mx\" is a word of routes; give the egress another name" },
	{ B "leg \"x\" {\n}\n", "4: leg \"x\" has nowhere to go; "
	  "write either hosts = { ... } or mx = \"...\"" },
	{ B "leg \"x\" { hosts = { \"a\" } mx = \"b.example\" }\n",
	  "4: leg \"x\" has two ways to go; write either hosts = { ... } or mx = \"...\"" },
	{ B "egress \"x\" { hosts = { \"a\" } direct = true }\n",
	  "4: egress \"x\" has two ways to go; "
	  "write either hosts = { ... } or direct = true" },
	{ B "leg \"x\" { hosts = { \"a\" } key = \"/k\" }\n",
	  "4: leg \"x\" has a key without a certificate; add certificate = \"FILE\"" },
	{ B "leg \"x\" { hosts = { \"a\" }\n tls_fingerprint = "
	    "\"00000000000000000000000000000000:00000000000000000000000000000000\" }\n",
	  "4: leg \"x\" would send in the clear when the fingerprint is another's; write tls = "
	  "\"encrypt\"" },
	{ B "leg \"x\" { hosts = { \"a\" } tls = \"dane\" }\n",
	  "4: leg \"x\" has tls = \"dane\", and no name server is trusted to check signatures; "
	  "write resolver { validating = true } if they do" },
	{ B "domain \"b.example\" {\n route = \"cloud\"\n}\n",
	  "4: domain \"b.example\": route: there is no leg \"cloud\"; there is legacy" },
	{ B "domain \"b.example\" { route = \"legacy+legacy\" }\n",
	  "4: domain \"b.example\": route: leg \"legacy\" stands twice in it; "
	  "name each leg once" },
	{ B "domain \"b.example\" { route = \"legacy+\" }\n",
	  "4: domain \"b.example\": route: there is no leg \"\"; there is legacy" },
	{ B "domain \"b.example\" { route = \"defer+legacy\" }\n",
	  "4: domain \"b.example\": route: there is no leg \"defer\"; there is legacy" },
	{ B "egress \"e\" { direct = true }\ndomain \"b.example\" { route = \"e\" }\n",
	  "5: domain \"b.example\": route: \"e\" is an egress, and a route names legs" },
	{ B "domain \"b.example\" { route = \"both\" }\n",
	  "4: domain \"b.example\": route: \"both\" is not defined here; "
	  "add both = \"LEG+LEG\"" },
	{ B "domain \"b.example\" { both = \"cloud+legacy\" }\n",
	  "4: domain \"b.example\": both: there is no leg \"cloud\"; there is legacy" },
	{ B "domain \"b.example\" { legs = { \"cloud\" } }\n",
	  "4: domain \"b.example\": legs: there is no leg \"cloud\"; there is legacy" },
	{ B "domain \"b.example\" { legs = { \"legacy\", \"legacy\" } }\n",
	  "4: domain \"b.example\": legs: \"legacy\" stands twice; name each leg once" },
	{ B "leg \"x\" { hosts = { \"a\" } }\n"
	    "domain \"b.example\" { route = \"legacy\" legs = { \"x\" } }\n",
	  "5: domain \"b.example\": route = \"legacy\" uses the leg \"legacy\", which is not "
	  "in its legs; add it there or take it out of the route" },
	{ B "leg \"x\" { hosts = { \"a\" } }\n"
	    "domain \"b.example\" { both = \"x+legacy\" legs = { \"x\" } }\n",
	  "5: domain \"b.example\": both = \"x+legacy\" uses the leg \"legacy\", which is not "
	  "in its legs; add it there or take it out of the route" },
	{ B "domain \"b.example\" { customer = \"Big Co\" }\n",
	  "4: customer \"Big Co\" is not a name; write lower-case letters, digits, - and _, "
	  "at most 32" },
	{ B "domain \"b.example\" { both = \"legacy\" }\n",
	  "4: domain \"b.example\": both = \"legacy\" is not two legs; "
	  "write both = \"LEG+LEG\"" },
	{ B "domain \"b.example\" { both = \"defer\" }\n",
	  "4: domain \"b.example\": both = \"defer\" is not two legs; "
	  "write both = \"LEG+LEG\"" },
	{ B "domain \"b_c\" { }\n",
	  "4: \"b_c\" is not a domain name (Underscore in domain); "
	  "write it like \"example.com\"" },
	{ B "leg \"x\" { hosts = { \"a\" } domains = { \"example.com\" } }\n",
	  "4: leg \"x\": \"example.com\" has a domain section; keep it there or here" },
	{ B "leg \"x\" { hosts = { \"a\" } domains = { \"t.example\" } }\n"
	  "leg \"y\" { hosts = { \"a\" } domains = { \"T.example\" } }\n",
	  "5: leg \"y\": \"t.example\" is a domain of leg \"x\" already; one leg can own it" },
	{ B "\npostmaster = \"admin@example.org\"\n",
	  "5: postmaster \"admin@example.org\" is at no domain of ours; "
	  "name a mailbox at one that has a section" },
	{ B "dsn {\n via = \"out\" }\n",
	  "5: dsn.via: there is no leg and no egress \"out\"; write one of them, mx or none" },
	{ B "leg \"x\" {\n hosts = { \"a\" }\n profile = \"m365\"\n}\n",
	  "4: leg \"x\": there is no profile \"m365\"; write one of generic, google, internet, "
	  "microsoft365, or put m365.profile into the folder that profiles names" },
	{ B "leg \"x\" { hosts = { \"a\" } clients = { \"192.0.2.1\", \"40.107.200.0/24\" } }\n",
	  "4: leg \"x\": clients has addresses of microsoft365, which all its tenants send from; "
	  "name only addresses that are its alone" },
	{ B "leg \"x\" { hosts = { \"a\" } clients = { \"2607:f8b0::/32\" } }\n",
	  "4: leg \"x\": clients has addresses of google, which all its tenants send from; "
	  "name only addresses that are its alone" },
	{ B "outbound {\n clients = { \"52.100.0.0/14\" }\n}\n",
	  "5: outbound: clients has addresses of microsoft365, which all its tenants send from; "
	  "name only addresses that are its alone" },
	{ B "leg \"x\" {\n hosts = { \"a:24\", \"b\" }\n protocol = \"lmtp\"\n}\n",
	  "4: leg \"x\" would speak LMTP on port 25, which is SMTP's; "
	  "write hosts = { \"b:24\" }, or the port that it has" },
	{ B "leg \"x\" { mx = \"a.example\" protocol = \"lmtp\" }\n",
	  "4: leg \"x\" would speak LMTP on port 25, which is SMTP's; "
	  "write hosts = { \"HOST:24\" }, or the port that it has" },
	{ B "leg \"x\" { hosts = { \"a\" } auth_user = \"u\" }\n",
	  "4: leg \"x\" has half of a login; write both auth_user and auth_secret" },
	{ B "leg \"x\" { hosts = { \"a\" } auth_user = \"u\" auth_secret = \"/s\" }\n",
	  "4: leg \"x\" would show its password to everybody on the way; write tls = \"verify\"" },
	{ B "leg \"x\" { hosts = { \"a\" } tls = verify auth_user = \"u\" "
	  "auth_secret = \"/no/such\" }\n",
	  "4: leg \"x\": auth_secret: \"/no/such\" cannot be read: No such file or directory" },
	{ B "return { domain = \"return.example.com\" }\n",
	  "4: return needs both; write domain = \"return.example.com\" and secrets = "
	  "\"/etc/posthouse/return.secrets\"" },
	{ B "srs { domain = \"srs.example.com\" }\n",
	  "4: srs needs both; write domain = \"srs.example.com\" and secrets = "
	  "\"/etc/posthouse/srs.secrets\"" },
	{ B "leg \"x\" { hosts = { \"a\" } trust = \"certificate\" }\n",
	  "4: leg \"x\" has trust = \"certificate\", and shows none; write certificate = "
	  "\"FILE\", or trust = \"address\"" },
	{ B "leg \"x\" { hosts = { \"a\" } trust = \"skip-listing\" "
	  "rewrite_sender = \"when-spf-fails\" }\n",
	  "4: leg \"x\" looks through us (trust = \"skip-listing\"), so srs.domain would be "
	  "judged by the client's address and fail; write rewrite_sender = \"never\"" },
	{ B "leg \"x\" { hosts = { \"a\" } trust = \"inbound-gateway\" "
	  "rewrite_sender = \"when-spf-fails\" }\n",
	  "4: leg \"x\" looks through us (trust = \"inbound-gateway\"), so srs.domain would be "
	  "judged by the client's address and fail; write rewrite_sender = \"never\"" },
	{ B "leg \"x\" { hosts = { \"a\" } xclient = true "
	  "rewrite_sender = \"when-spf-fails\" }\n",
	  "4: leg \"x\" is told the client (xclient = true), so its SPF would judge "
	  "srs.domain by the client's address and fail it; write rewrite_sender = "
	  "\"never\", or xclient = false" },
	{ B "leg \"x\" { hosts = { \"a\" } tls = verify xclient = true "
	  "auth_user = \"u\" auth_secret = \"/s\" }\n",
	  "4: leg \"x\" has xclient and auth_user, and XCLIENT ends a login; leave auth_user "
	  "out, and let our address in there" },
	{ B "leg \"x\" { hosts = { \"a:24\" } xclient = true protocol = \"lmtp\" }\n",
	  "4: leg \"x\" has xclient, which is of SMTP, and speaks LMTP; write xclient = false" },
	{ B "leg \"x\" { hosts = { \"a\" } rewrite_sender = \"when-spf-fails\" }\n",
	  "4: leg \"x\" has rewrite_sender = \"when-spf-fails\", and there is no domain to "
	  "rewrite to; write the section srs { ... }" },
	{ B "listen \"a\" { leg = \"cloud\" }\n",
	  "4: listen \"a\": there is no leg \"cloud\"; name one that has a section" },
	{ B "listen \"a\" { }\nlisten \"b\" { address = { \"[::]:25\" } }\n",
	  "5: listen \"b\": :: port 25 is listened on twice; name it once" },
	{ B "listen \"a\" { tls_min = \"1.4\" }\n",
	  "4: tls_min \"1.4\" is unknown; write 1.2, 1.0, 1.1 or 1.3" },
	{ B "spool { max = \"100M\" }\n",
	  "4: spool.max is less than eight times spool.segment; make it larger" },
	{ B "control {\n socket = \"/"
	  "0123456789012345678901234567890123456789012345678901234567890123456789"
	  "0123456789012345678901234567890123456789\" }\n",
	  "5: control.socket is longer than the 107 bytes of a socket's name; shorten it" },
};
/* clang-format on */

/* `said` without the directory, wherever it stands. */
static const char *without_dir(const char *said, const char *dir, char *out,
    size_t size)
{
	size_t n = strlen(dir), used = 0;

	while (*said != '\0' && used + 1 < size) {
		if (strncmp(said, dir, n) == 0 && said[n] == '/')
			said += n + 1;
		else
			out[used++] = *said++;
	}
	out[used] = '\0';
	return out;
}

static void check(const char *dir, const struct bad *bad, size_t n)
{
	char said[400], want[400];

	for (size_t i = 0; i < n; i++) {
		struct names *names = names_new();
		struct error err = {0};
		struct conf *c = conf_tmp_load(dir, bad[i].text, names, &err);

		snprintf(want, sizeof(want), "posthouse.conf:%s", bad[i].says);
		if (c != NULL)
			fail_msg("accepted, but: %s", want);
		assert_string_equal(without_dir(err.text, dir, said,
					sizeof(said)), want);
		assert_int_equal(names_count(names), 0);
		names_free(names);
	}
}

static void what_is_not_closed_is_found_where_it_begins(void **state)
{
	check(*state, form, ARRAY_LEN(form));
}

static void unknown_and_double_names_are_named(void **state)
{
	check(*state, names_of_things, ARRAY_LEN(names_of_things));
}

static void impossible_values_come_with_what_is_possible(void **state)
{
	check(*state, values, ARRAY_LEN(values));
}

static void networks_that_trust_strangers_are_refused(void **state)
{
	check(*state, open_relays, ARRAY_LEN(open_relays));
}

static void what_makes_no_sense_together_is_refused(void **state)
{
	check(*state, sense, ARRAY_LEN(sense));
}

static void a_file_that_is_not_text_is_refused(void **state)
{
	char path[300];
	struct error err = {0};
	FILE *f;

	snprintf(path, sizeof(path), "%s/nul.conf", (const char *)*state);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite("a = \"\0\"\n", 1, 8, f), 8);
	assert_int_equal(fclose(f), 0);
	assert_null(conf_load(path, NULL, &err));
	assert_non_null(strstr(err.text, "nul.conf:1: there is a NUL in it"));
	assert_null(conf_load("/nonexistent/posthouse.conf", NULL, &err));
	assert_string_equal(err.text, "/nonexistent/posthouse.conf:1: cannot "
	    "read the file: No such file or directory");
}

/* The daemon does what the file says. */
static void a_file_that_everybody_can_write_is_refused(void **state)
{
	const char *path = conf_tmp_write(*state, "open.conf", "a = 1\n");
	struct error err = {0};

	assert_int_equal(chmod(path, 0646), 0);
	assert_null(conf_load(path, NULL, &err));
	assert_non_null(strstr(err.text, "open.conf:1: everybody on this "
	    "machine can write this file; chmod o-w "));
	assert_int_equal(chmod(path, 0664), 0);
	assert_null(conf_load(path, NULL, &err));
	assert_null(strstr(err.text, "everybody"));
}

static void a_byte_order_mark_is_no_part_of_the_first_key(void **state)
{
	static const char text[] = "\xef\xbb\xbfhostnam = \"a.example\"\r\n";
	char path[300];
	struct error err = {0};
	FILE *f;

	snprintf(path, sizeof(path), "%s/bom.conf", (const char *)*state);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_null(conf_load(path, NULL, &err));
	assert_non_null(strstr(err.text, "bom.conf:1: unknown "
	    "name \"hostnam\"; did you mean \"hostname\"?"));
}

static void errors_of_an_included_file_name_that_file(void **state)
{
	struct names *names = names_new();
	struct error err = {0};
	const char *dir = *state;
	char said[400];

	conf_tmp_write(dir, "more.conf",
	    "# c\n\nlimits {\n errors = none\n}\n");
	assert_null(conf_tmp_load(dir, CONF_BASE "include(\"more.conf\")\n",
	    names, &err));
	assert_string_equal(without_dir(err.text, dir, said, sizeof(said)),
	    "more.conf:4: errors \"none\" is not a number; write digits only");
	assert_null(conf_tmp_load(dir, CONF_BASE "include(\"none.conf\")\n",
	    names, &err));
	assert_string_equal(without_dir(err.text, dir, said, sizeof(said)),
	    "none.conf:1: cannot read the file: No such file or directory");
	conf_tmp_write(dir, "loop.conf", "include(\"loop.conf\")\n");
	assert_null(conf_tmp_load(dir, CONF_BASE "include(\"loop.conf\")\n",
	    names, &err));
	assert_string_equal(without_dir(err.text, dir, said, sizeof(said)),
	    "loop.conf:1: \"loop.conf\" is read already; include each file "
	    "once");
	conf_unref(conf_tmp_good(dir, CONF_BASE, names));
	names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_closed_is_found_where_it_begins),
		cmocka_unit_test(unknown_and_double_names_are_named),
		cmocka_unit_test(impossible_values_come_with_what_is_possible),
		cmocka_unit_test(networks_that_trust_strangers_are_refused),
		cmocka_unit_test(what_makes_no_sense_together_is_refused),
		cmocka_unit_test(a_file_that_is_not_text_is_refused),
		cmocka_unit_test(a_file_that_everybody_can_write_is_refused),
		cmocka_unit_test(a_byte_order_mark_is_no_part_of_the_first_key),
		cmocka_unit_test(errors_of_an_included_file_name_that_file),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
