/* SPDX-License-Identifier: ISC
 *
 * The table of parameters goes on: the sections by which a cutover is run.
 * Constant; any thread.
 */
#include "conf/schema_int.h"

/* clang-format off */
static const struct conf_param rows[] = {
	/* in, name, type, field, default, min, max, reload, example, help */
	{ IN(HOOK), "on_watermark", &T_FILE, C(hook.on_watermark), "", 0, 0, RESTART,
	  "/usr/local/libexec/sync-mailboxes",
	  "A program that gets the mailboxes whose watermark is reached: a line of JSON each, at "
	  "most 1,000 at once, its argument is watermark. It prints ADDRESS synced, or ADDRESS "
	  "failed TEXT. It must lie where the daemon may not write." },
	{ IN(HOOK), "on_held", &T_FILE, C(hook.on_held), "", 0, 0, RESTART,
	  "/usr/local/libexec/move-mailboxes",
	  "The same for mailboxes that are held; its argument is held. Without it they are "
	  "on_watermark's." },
	{ IN(HOOK), "on_export", &T_FILE, C(hook.on_export), "", 0, 0, RESTART,
	  "/usr/local/libexec/install-map",
	  "A program that is run when a file of coexist was written: its argument is export, its "
	  "input a line of JSON (doc/coexist.md)." },
	{ IN(HOOK), "timeout", &T_DURATION, C(hook.timeout_ms), "1h", SECS(1), DAYS(7), RESTART,
	  NULL, "A program that runs for longer is ended, and given the same list again later." },

	{ IN(WAVE), "zone", &T_STRING, C(wave.zone), "", 0, 0, LIVE, NULL,
	  "The time zone of times that are written without one, as in wave schedule --at: a name "
	  "of the system's tzdata, \"Europe/London\". Empty: such times are refused." },
	{ IN(WAVE), "blackout", &T_BLACKOUTS, C(wave.blackout), "", 0, 0, LIVE, NULL,
	  "Times in which no slice of a wave begins, on the clocks of a place: each day "
	  "(\"Mon-Fri 07:00-19:00\"), one span (\"Fri 19:00-Mon 07:00\"), whole days "
	  "(\"Sat-Sun\", \"2026-12-24-2027-01-02\") or between two moments "
	  "(\"2026-12-24 18:00-2026-12-27 06:00\"). Without a zone that of this section, else "
	  "the system's." },
	{ IN(WAVE), "per_hour", &T_INT, C(wave.per_hour), "0", 0, 100000000, LIVE, NULL,
	  "Most members that all waves together move in any hour, counted by the slices on record. "
	  "0: any number." },

	{ IN(PROPAGATION), "interval", &T_DURATION, C(propagation.interval_ms), "15m", 0,
	  DAYS(1), LIVE, NULL,
	  "How often the daemon asks the name servers of each domain for its MX "
	  "(doc/propagation.md). Without a look for three intervals nothing is known any more. "
	  "0s: only when posthouse propagation is run." },
	{ IN(PROPAGATION), "old_ns", &T_DOMAINS, C(propagation.old_ns), "", 0, 0, LIVE,
	  "ns1.old.example",
	  "Name servers that our domains had before, and that caches may know still: they are "
	  "asked as well. Those that the daemon has seen in use need not be named." },
	{ IN(PROPAGATION), "stale", &T_DURATION, C(propagation.stale_ms), "3d", 0, DAYS(60), LIVE,
	  NULL,
	  "How long a resolver may serve an answer that has ended when it can have no other "
	  "(RFC 8767)." },

	{ IN(VERDICT), "leg", &T_NAME, VERDICT(leg), NULL, 0, 0, LIVE, "legacy",
	  "The leg whose server is to be switched off." },
	{ IN(VERDICT), "customer", &T_NAME, VERDICT(customer), "", 0, 0, LIVE, NULL,
	  "Only the domains of this customer count, and no other is named." },
	{ IN(VERDICT), "domains", &T_DOMAINS, VERDICT(domains), "", 0, 0, LIVE, NULL,
	  "Only these domains count. Without them and without customer: all." },
	{ IN(VERDICT), "quiet", &T_DURATION, VERDICT(quiet_ms), "14d", SECS(1), DAYS(366), LIVE,
	  NULL,
	  "How long clients must have stayed away from the listeners, and the leg must have sent "
	  "nothing. Only time counts in which the listeners were open and mail was taken." },
	{ IN(VERDICT), "listen", &T_NAMES, VERDICT(listen), "", 0, 0, LIVE, NULL,
	  "The listeners that stand where the old server stood. Empty: all but those that are "
	  "closed, a leg's, or for outbound alone." },

	{ IN(COEXIST), "format", &T_STRING, COEXIST(format), NULL, 0, 0, RESTART, "exchange",
	  "exchange, postfix, exim or google." },
	{ IN(COEXIST), "map", &T_STRING, COEXIST(map), "transport", 0, 0, RESTART, NULL,
	  "Of postfix and exim: transport (where mail of a recipient goes) or recipient (the "
	  "address that it has there)." },
	{ IN(COEXIST), "file", &T_PATH, COEXIST(path), NULL, 0, 0, RESTART,
	  "/var/lib/posthouse/coexist/exchange.csv",
	  "The file. Its folder must be there; the daemon writes a new file and renames it." },
	{ IN(COEXIST), "leg", &T_STRING, COEXIST(leg), "", 0, 0, RESTART, "legacy",
	  "The leg whose server reads it: recipients whose route names it are not in the file. "
	  "Empty: of google the only leg with that profile, else the only one without a profile "
	  "of a platform." },
	{ IN(COEXIST), "via", &T_STRING, COEXIST(via), "", 0, 0, RESTART, "relay.example.com:25",
	  "Of map = transport: the next hop for all. Empty: the first host of each recipient's "
	  "leg." },
};
/* clang-format on */

const struct param_list params_cutover = {rows, ARRAY_LEN(rows)};
