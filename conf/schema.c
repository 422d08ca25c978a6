/* SPDX-License-Identifier: ISC
 *
 * THE table of what may be said in posthouse.conf, but for the sections of a
 * cutover: schema_cutover.c. Constant; any thread.
 */
#include "conf/schema_int.h"

/* clang-format off */
static const struct conf_param rows[] = {
	/* in, name, type, field, default, min, max, reload, example, help */
	{ IN(TOP), "hostname", &T_DOMAIN, C(hostname), NULL, 0, 0, NEW_SESSIONS,
	  "relay.example.com",
	  "Our own name: in the greeting, in EHLO and in Received." },
	{ IN(TOP), "postmaster", &T_MAILBOX, C(postmaster), "", 0, 0, LIVE, "admin@example.com",
	  "Who gets the mail for postmaster and abuse. The domain must be one of ours. "
	  "Without it: postmaster at the first domain." },
	{ IN(TOP), "workers", &T_INT, C(workers), "0", 0, 256, RESTART, NULL,
	  "Threads that talk to clients and legs. 0: one for each core." },
	{ IN(TOP), "node", &T_INT, C(node), "0", 0, 255, RESTART, NULL,
	  "The number of this node, part of every message id. Nodes that share a table must "
	  "differ." },
	{ IN(TOP), "public_address", &T_NETS, C(public_address), "", 0, 0, LIVE, NULL,
	  "Our addresses as others see them, when they are not those of this machine (NAT). "
	  "Mail is never delivered there." },
	{ IN(TOP), "stop_after", &T_DURATION, C(stop_after_ms), "20s", 0, MINS(60), LIVE, NULL,
	  "How long SIGTERM waits for dialogs past the final dot." },
	{ IN(TOP), "soft_bounce", &T_BOOL, C(soft_bounce), "false", 0, 0, LIVE, NULL,
	  "Nothing is bounced: what a leg refuses for good waits like what it refuses for now." },
	{ IN(TOP), "sandbox", &T_BOOL, C(sandbox), "true", 0, 0, RESTART, NULL,
	  "The daemon gives up what it does not need: other programs, its core dump, writing "
	  "outside the folders named here. false is for a debugger or a profiler." },

	{ IN(TOP), "profiles", &T_FILE, C(profiles), "", 0, 0, LIVE, NULL,
	  "A folder of reply profiles, NAME.profile, that replace those of the same name which are "
	  "built in." },

	{ IN(LISTEN), "address", &T_LISTEN, LISTEN(address), "0.0.0.0:25 [::]:25", 0, 0, RESTART,
	  NULL,
	  "Addresses and ports that accept mail. Port 0 is any free port." },
	{ IN(LISTEN), "certificate", &T_CERTIFICATES, LISTEN(certificate), "", 0, 0, NEW_SESSIONS,
	  NULL,
	  "Certificate files (PEM, with their chain), chosen by SNI, the first when none fits. "
	  "Without one STARTTLS is not offered." },
	{ IN(LISTEN), "key", &T_PATHS, LISTEN(keys), "", 0, 0, NEW_SESSIONS, NULL,
	  "The private key of each certificate, in the same order. Without it the key is in the "
	  "file of the certificate. Others must not be able to read it." },
	{ IN(LISTEN), "proxy_from", &T_NETS, LISTEN(proxy_from), "", 0, 0, NEW_SESSIONS, NULL,
	  "Peers that begin with a PROXY header (version 1 or 2). It is read from these and no "
	  "others." },
	{ IN(LISTEN), "bare_newline", &T_BARE_NEWLINE, LISTEN(bare_newline), "reject", 0, 0,
	  NEW_SESSIONS, NULL,
	  "What to do with a bare CR or a bare LF in DATA and in commands: reject, or normalize "
	  "(make it CRLF) for all clients. Only CRLF.CRLF ends a message, also then." },
	{ IN(LISTEN), "bare_newline_clients", &T_NETS, LISTEN(bare_newline_clients),
	  "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 fc00::/7 fe80::/10", 0, 0,
	  NEW_SESSIONS, NULL,
	  "Clients whose bare CR and LF are made CRLF whatever bare_newline says, which an event "
	  "repaired records: devices that cannot be mended. The default is the private networks; "
	  "{ } is none." },
	{ IN(LISTEN), "starttls_never", &T_NETS, LISTEN(starttls_never), "", 0, 0, NEW_SESSIONS,
	  NULL,
	  "Clients that are never offered STARTTLS: old devices that break on it." },
	{ IN(LISTEN), "tls_min", &T_TLS_MIN, LISTEN(tls_min), "1.2", 0, 0, NEW_SESSIONS, NULL,
	  "The lowest version of TLS. Below 1.2 this listener alone also takes the weak signatures "
	  "and ciphers that such clients need; posthouse status names the clients that did. Legs "
	  "are always spoken to with 1.2 or newer." },
	{ IN(LISTEN), "tls", &T_LISTEN_TLS, LISTEN(tls), "starttls", 0, 0, NEW_SESSIONS, NULL,
	  "When TLS begins: starttls (when the client asks for it), or implicit (before the "
	  "greeting, RFC 8314), as devices and mail programs expect it on port 465." },
	{ IN(LISTEN), "outbound", &T_OUTBOUND, LISTEN(outbound), "allowed", 0, 0, NEW_SESSIONS,
	  NULL,
	  "Whether the clients and users of the section outbound may send to the outside here: "
	  "allowed, off (here they are clients like all others), or only (all others are told 530 "
	  "at MAIL)." },
	{ IN(LISTEN), "auth", &T_BOOL, LISTEN(auth), "false", 0, 0, NEW_SESSIONS, NULL,
	  "Users of outbound.users may log in (AUTH PLAIN, LOGIN) and clients show a certificate "
	  "of outbound.certificates, once TLS is in use and never without it." },
	{ IN(LISTEN), "closed", &T_BOOL, LISTEN(closed), "false", 0, 0, NEW_SESSIONS, NULL,
	  "No mail is taken here any more: the greeting is 521 (RFC 7504), and those who come are "
	  "counted." },
	{ IN(LISTEN), "leg", &T_NAME, LISTEN(leg_name), "", 0, 0, NEW_SESSIONS, NULL,
	  "Mail that comes in here comes from this leg." },

	{ IN(LEG), "hosts", &T_HOSTS, LEG(host), "", 0, 0, LIVE, "mail-old.example.com:25",
	  "Names or addresses with a port, tried in order." },
	{ IN(EGRESS), "hosts", &T_HOSTS, LEG(host), "", 0, 0, LIVE, NULL,
	  "Names or addresses with a port, tried in order." },
	{ IN(LEG), "mx", &T_DOMAIN, LEG(mx), "", 0, 0, LIVE, NULL,
	  "A domain whose MX records name the hosts, instead of hosts." },
	{ IN(EGRESS), "senders", &T_SENDERS, LEG(senders), "any", 0, 0, LIVE, NULL,
	  "Whose mail it relays: any sender's, or ours: senders at domains of ours alone, as "
	  "clouds do. A sender at another domain is rewritten for it (srs)." },
	{ IN(EGRESS), "spf_address", &T_NETS, LEG(spf_address), "", 0, 0, LIVE, "198.51.100.7",
	  "The addresses that receivers see, by which the records of SPF judge this egress. "
	  "Without it, of a direct one, public_address, else a public source." },
	{ IN(EGRESS), "spf_include", &T_DOMAIN, LEG(spf_include), "", 0, 0, LIVE, NULL,
	  "A domain whose record of SPF lists them: that of the platform, which senders include." },
	{ IN(EGRESS), "direct", &T_BOOL, LEG(direct), "false", 0, 0, LIVE, "true",
	  "Go to the MX of each recipient's domain, instead of hosts." },
	{ IN(LEG), "clients", &T_NETS, LEG(clients), "", 0, 0, NEW_SESSIONS, NULL,
	  "The leg's own addresses: mail from there came from this leg and is never sent back. "
	  "Only addresses that are its alone, never those of a shared platform." },
	{ IN(LEG), "domains", &T_DOMAINS, LEG(domains), "", 0, 0, LIVE, NULL,
	  "The leg's own domains, mapped back to the rows they belong to." },
	{ HOP, "tls", &T_TLS, LEG(tls), "may", 0, 0, LIVE, NULL,
	  "STARTTLS: none, may (when it is offered), encrypt (or wait), verify (and the "
	  "certificate must fit the name), dane (by the TLSA records of a signed zone, RFC 7672; "
	  "encrypt where there are none)." },
	{ HOP, "tls_fingerprint", &T_FINGERPRINTS, LEG(fingerprint), "", 0, 0, LIVE, NULL,
	  "SHA-256 fingerprints, one of which the certificate must have; from tls = encrypt on." },
	{ HOP, "family", &T_FAMILY, LEG(family), "ipv6-first", 0, 0, LIVE, NULL,
	  "Which addresses of a host are tried: ipv6-first, ipv4-first, ipv6 or ipv4 alone." },
	{ IN(LEG), "protocol", &T_PROTOCOL, LEG(protocol), "smtp", 0, 0, LIVE, NULL,
	  "smtp, or lmtp (RFC 2033), where each recipient has a reply of its own; its hosts are "
	  "written with their port, which is never 25." },
	{ HOP, "auth_user", &T_STRING, LEG(auth_user), "", 0, 0, LIVE, NULL,
	  "The name to log in with (AUTH PLAIN or LOGIN, over TLS only)." },
	{ HOP, "auth_secret", &T_FILE, LEG(auth_secret), "", 0, 0, LIVE, NULL,
	  "The file whose first line is the password. Others must not be able to read it." },
	{ HOP, "tls_ca", &T_FILE, LEG(tls_ca), "", 0, 0, LIVE, NULL,
	  "Authorities that verify trusts, a PEM file. Without it those of the system." },
	{ HOP, "certificate", &T_FILE, LEG(certificate), "", 0, 0, LIVE, NULL,
	  "Our client certificate with its chain, where the other side wants one." },
	{ HOP, "key", &T_FILE, LEG(key), "", 0, 0, LIVE, NULL,
	  "The private key of the client certificate. Without it the key is in the same file." },
	{ HOP, "source", &T_ADDRESS, LEG(source), "", 0, 0, LIVE, NULL,
	  "The address to send from. Without it the system chooses." },
	{ IN(LEG), "probe_source", &T_ADDRESS, LEG(probe_source), "", 0, 0, LIVE, NULL,
	  "The address that preflights, comparisons and shadows ask from. Without it: source." },
	{ IN(LEG), "ask_rate", &T_INT, LEG(ask_rate), "0", 0, 1000, LIVE, NULL,
	  "Recipients a second that they ask about. 0: what the profile says (20, or 2)." },
	{ IN(LEG), "ask_connections", &T_INT, LEG(ask_connections), "4", 1, 100, LIVE, NULL,
	  "Most of the leg's connections that they use at once." },
	{ IN(LEG), "shadow", &T_BOOL, LEG(shadow), "false", 0, 0, LIVE, NULL,
	  "The leg is asked about recipients seen in mail, once a day each, before they move." },
	{ HOP, "helo", &T_DOMAIN, LEG(helo), "", 0, 0, LIVE, NULL,
	  "The name to say in EHLO. Without it the hostname." },
	{ HOP, "connections", &T_INT, LEG(connections), "20", 1, 5000, LIVE, NULL,
	  "Most connections at once." },
	{ HOP, "max_recipients", &T_INT, LEG(max_recipients), "0", 0, 1000, LIVE, NULL,
	  "Most recipients of one transaction. 0: what the profile says." },
	{ HOP, "max_messages", &T_INT, LEG(max_messages), "0", 0, 1000000, LIVE, NULL,
	  "Most messages over one connection, then a new one is made. 0: what the profile says." },
	{ HOP, "max_age", &T_DURATION, LEG(max_age_ms), "0s", 0, DAYS(1), LIVE, NULL,
	  "Longest life of a connection. 0s: what the profile says." },
	{ HOP, "idle_timeout", &T_DURATION, LEG(idle_ms), "5s", 0, MINS(60), LIVE, NULL,
	  "How long an idle connection is kept for the next message." },
	{ IN(LEG), "profile", &T_PROFILE, LEG(profile), "generic", 0, 0, LIVE, NULL,
	  "What the replies of this leg mean, and its limits: generic, microsoft365, google, or a "
	  "file of the folder profiles." },
	{ IN(EGRESS), "profile", &T_PROFILE, LEG(profile), "", 0, 0, LIVE, NULL,
	  "What replies mean, as of a leg. Empty: internet of a direct one, whose refusals are "
	  "told to the sender at once; else generic." },
	{ IN(LEG), "trust", &T_TRUST, LEG(trust), "address", 0, 0, LIVE, NULL,
	  "What the leg believes of us: none, or that we may bring mail of others, by our address "
	  "(address), by our certificate (certificate, which must be set), or so that it looks "
	  "through us and judges the client that came to us: by Microsoft's enhanced filtering "
	  "(skip-listing) or Google's list of gateways (inbound-gateway). What it refuses because "
	  "it disbelieves a sender is parked; with none the sender is told." },
	{ IN(LEG), "rewrite_sender", &T_REWRITE, LEG(rewrite_sender), "never", 0, 0, LIVE, NULL,
	  "When a sender is put under srs.domain for this leg: never, or when-spf-fails (when its "
	  "domain's record of SPF fails the addresses that the leg sees: public_address, else a "
	  "public source). A sender that dsn.guard would not tell gets a return address. Copies "
	  "keep theirs. Not for a leg that looks through us (trust), or is told the client "
	  "(xclient)." },
	{ IN(LEG), "xclient", &T_BOOL, LEG(xclient), "false", 0, 0, LIVE, NULL,
	  "The leg is told the client of each message (XCLIENT, as Postfix has it), where it "
	  "offers that to us; its own SPF, lists and logs then see that client." },
	{ IN(LEG), "copy_return", &T_RETURN, LEG(copy_return), "notify", 0, 0, LIVE, NULL,
	  "How a copy's bounces are kept from its sender: notify (NOTIFY=NEVER where the leg "
	  "offers DSN, else a return address of ours), or token (always a return address of "
	  "ours)." },
	{ IN(LEG), "eightbit", &T_EIGHTBIT, LEG(eightbit), "send", 0, 0, LIVE, NULL,
	  "8-bit content where the leg does not offer 8BITMIME: send, or refuse (5.6.3)." },
	{ IN(LEG), "suppress_auto", &T_BOOL, LEG(suppress_auto), "false", 0, 0, LIVE, NULL,
	  "Copies get X-Auto-Response-Suppress: All, so that their mailbox sends no reply." },
	{ IN(LEG), "suspend_messages", &T_INT, LEG(suspend_messages), "10", 0, 100000, LIVE, NULL,
	  "So many messages refused for a fault of the set-up, with no success between, suspend "
	  "the leg, unless a question of ours gets past it. 0: only such a question does." },
	{ IN(LEG), "suspend_senders", &T_INT, LEG(suspend_senders), "5", 1, 1000, LIVE, NULL,
	  "… when they are of so many sender domains." },
	{ IN(LEG), "probe_interval", &T_DURATION, LEG(probe_ms), "5m", 0, DAYS(1), LIVE, NULL,
	  "How often a leg that suspended itself is tried. 0s: until leg resume." },
	{ HOP, "dead_host", &T_DURATION, LEG(dead_host_ms), "1m", 0, DAYS(1), LIVE, NULL,
	  "How long a host that could not be reached is tried last. A profile may forbid it." },
	{ IN(LEG), "soft_bounce", &T_BOOL, LEG(soft_bounce), "false", 0, 0, LIVE, NULL,
	  "Nothing that this leg refuses is bounced, it waits." },
	{ HOP, "connect_timeout", &T_DURATION, LEG(connect_timeout_ms), "30s", TIMEOUT, LIVE, NULL,
	  "Longest wait for a connection." },
	{ HOP, "greeting_timeout", &T_DURATION, LEG(greeting_timeout_ms), "5m", TIMEOUT, LIVE, NULL,
	  "Longest wait for the greeting (RFC 5321 4.5.3.2.1)." },
	{ HOP, "command_timeout", &T_DURATION, LEG(command_timeout_ms), "5m", TIMEOUT, LIVE, NULL,
	  "Longest wait for the answer to a command (RFC 5321 4.5.3.2.2)." },
	{ HOP, "data_init_timeout", &T_DURATION, LEG(data_init_timeout_ms), "2m", TIMEOUT, LIVE,
	  NULL,
	  "Longest wait for the answer to DATA (RFC 5321 4.5.3.2.4)." },
	{ HOP, "data_block_timeout", &T_DURATION, LEG(data_block_timeout_ms), "3m", TIMEOUT, LIVE,
	  NULL,
	  "Longest wait until the other side takes more of the body (RFC 5321 4.5.3.2.5)." },
	{ HOP, "data_done_timeout", &T_DURATION, LEG(data_done_timeout_ms), "10m", TIMEOUT, LIVE,
	  NULL,
	  "Longest wait for the answer to the final dot (RFC 5321 4.5.3.2.6)." },
	{ HOP, "tls_timeout", &T_DURATION, LEG(tls_timeout_ms), "30s", TIMEOUT, LIVE, NULL,
	  "Longest TLS handshake." },

	{ IN(DOMAIN), "route", &T_ROUTE, DOMAIN(route), "", 0, 0, LIVE, "legacy",
	  "Where the domain's mail goes: legs joined by +, the first of them primary, or defer, "
	  "reject "
	  "or gone. It seeds the table's row of the domain once; from then on the table counts." },
	{ IN(DOMAIN), "unknown", &T_UNKNOWN, DOMAIN(unknown), "probe", 0, 0, LIVE, NULL,
	  "Recipients without a row: probe (the first leg of the domain's route is asked), reject, "
	  "defer, or route (accepted; the leg decides later, and unknown ones are bounced)." },
	{ IN(DOMAIN), "both", &T_ROUTE, DOMAIN(both), "", 0, 0, LIVE, NULL,
	  "What the route \"both\" stands for when it is written, such as \"cloud+legacy\"." },
	{ IN(DOMAIN), "subaddress", &T_CHAR, DOMAIN(subaddress), "+", 0, 0, LIVE, NULL,
	  "What separates a local part from its detail (RFC 5233). Empty: nothing does." },
	{ IN(DOMAIN), "legs", &T_NAMES, DOMAIN(legs), "", 0, 0, LIVE, NULL,
	  "The legs that the domain's rows may use. Empty: all." },
	{ IN(DOMAIN), "customer", &T_NAME, DOMAIN(customer), "", 0, 0, LIVE, NULL,
	  "The organisation that the domain belongs to: lists, counts and flips can be confined to "
	  "it, and a mailbox is never one of two." },
	{ IN(DOMAIN), "moved_to", &T_DOMAIN, DOMAIN(moved_to), "", 0, 0, NEW_SESSIONS, NULL,
	  "The server that has the domain's mail now, such as its MX: named in the answer of route "
	  "gone (550 5.1.6)." },

	{ IN(DOMAIN), "spf_fail", &T_SPF_FAIL, DOMAIN(spf_fail), "report", 0, 0, NEW_SESSIONS, NULL,
	  "Mail to this domain whose sender's domain disowns the client (SPF fail): report takes "
	  "it and tells the legs in its header, refuse answers 550 at RCPT. Mail to postmaster and "
	  "abuse is always taken." },
	{ IN(DOMAIN), "spf_temperror", &T_SPF_TEMPERROR, DOMAIN(spf_temperror), "report", 0, 0,
	  NEW_SESSIONS, NULL,
	  "Mail whose sender cannot be judged now, since the DNS does not answer: report takes it, "
	  "defer answers 451." },

	{ IN(SPF), "check", &T_BOOL, C(spf.check), "true", 0, 0, NEW_SESSIONS, NULL,
	  "Senders of incoming mail are judged, and the names of clients are looked up. false: "
	  "neither." },
	{ IN(SPF), "exempt", &T_NETS, C(spf.exempt), "", 0, 0, NEW_SESSIONS, NULL,
	  "Clients that forward mail of others, so that SPF has to fail: they are judged, but "
	  "never refused or deferred for it. Private and link-local addresses never are." },
	{ IN(SPF), "wait", &T_DURATION, C(spf.wait_ms), "5s", 0, MINS(4), NEW_SESSIONS, NULL,
	  "Longest wait for a verdict, from MAIL on, before a client is answered; then it is "
	  "temperror." },
	{ IN(SPF), "authserv_id", &T_DOMAIN, C(spf.authserv_id), "", 0, 0, NEW_SESSIONS,
	  "relay.example.com",
	  "The name under which our Authentication-Results are written (RFC 8601 2.2). Fields that "
	  "bear it already are removed. Empty: the hostname." },

	{ IN(DSN), "via", &T_NAME, C(dsn.via), "mx", 0, 0, LIVE, NULL,
	  "The way of notices to other domains: mx (that of the sender's domain), the name of a "
	  "leg or "
	  "an egress, or none. Without a way the notice is parked." },

	{ IN(DSN), "guard", &T_GUARD, C(dsn.guard), "fail", 0, 0, LIVE, NULL,
	  "Whose notices are parked instead of sent: fail (the sender's domain disowns the client "
	  "by SPF), pass-only (all that it does not vouch for), or off." },
	{ IN(DSN), "delay", &T_DURATION, C(dsn.delay_ms), "4h", 0, DAYS(30), LIVE, NULL,
	  "When a sender is told that its message is late. 0s: never." },

	{ IN(RETURN), "domain", &T_DOMAIN, C(ret.domain), "", 0, 0, LIVE, "return.example.com",
	  "The domain of the addresses. Empty: there are none." },
	{ IN(RETURN), "secrets", &T_FILE, C(ret.secrets), "", 0, 0, LIVE,
	  "/etc/posthouse/return.secrets",
	  "The file of the keys, one a line, at least 16 characters: the first signs, all are "
	  "believed." },
	{ IN(RETURN), "lifetime", &T_DURATION, C(ret.lifetime_ms), "14d", MINS(1), DAYS(366), LIVE,
	  NULL, "How long such an address takes mail." },

	{ IN(SRS), "domain", &T_DOMAIN, C(srs.domain), "", 0, 0, LIVE, "srs.example.com",
	  "The domain of the rewritten senders. Empty: none is rewritten." },
	{ IN(SRS), "secrets", &T_FILE, C(srs.secrets), "", 0, 0, LIVE,
	  "/etc/posthouse/srs.secrets",
	  "The file of the keys, as in return: the first signs, all are believed." },
	{ IN(SRS), "hash", &T_INT, C(srs.hash), "8", 4, 20, LIVE, NULL,
	  "Characters of the mark in SRS0 and SRS1; a shorter one is not believed. Other "
	  "implementations have 4." },
	{ IN(SRS), "lifetime", &T_DURATION, C(srs.lifetime_ms), "21d", DAYS(1), DAYS(366), LIVE,
	  NULL, "How long mail to a rewritten sender is taken; counted in whole days." },

	{ IN(TOKEN), "secrets", &T_FILE, C(token.secrets), "", 0, 0, LIVE, NULL,
	  "The file of the keys, as in return. Nodes share it. Empty: one is made beside the table "
	  "at the first start." },

	{ IN(PROBE), "timeout", &T_DURATION, C(probe.timeout_ms), "10s", MS(10), MINS(4), LIVE,
	  NULL,
	  "Longest wait for the leg's answer." },
	{ IN(PROBE), "positive", &T_DURATION, C(probe.positive_ms), "24h", 0, DAYS(30), LIVE, NULL,
	  "How long a known recipient is remembered." },
	{ IN(PROBE), "negative", &T_DURATION, C(probe.negative_ms), "10m", 0, DAYS(30), LIVE, NULL,
	  "How long an unknown one is remembered." },
	{ IN(PROBE), "no_answer", &T_NO_ANSWER, C(probe.no_answer), "accept", 0, 0, LIVE, NULL,
	  "When the leg does not answer in time: accept, or defer." },

	{ IN(ALARM), "mail", &T_MAILBOX, C(alarm.mail), "", 0, 0, LIVE, "oncall@example.org",
	  "An address that gets each alarm as a message; best one that no leg is needed for: a "
	  "leg that is down keeps the alarm that says so." },
	{ IN(ALARM), "exec", &T_FILE, C(alarm.exec), "", 0, 0, RESTART, "/usr/local/bin/page",
	  "A program that gets each alarm: its argument is the kind, its input a line of JSON; see "
	  "posthoused(8). It must lie where the daemon may not write." },
	{ IN(ALARM), "interval", &T_DURATION, C(alarm.interval_ms), "15m", SECS(1), DAYS(7), LIVE,
	  NULL, "An alarm of the same kind about the same thing is not repeated before." },
	{ IN(ALARM), "certificate", &T_DURATION, C(alarm.certificate_ms), "14d", 0, DAYS(366), LIVE,
	  NULL, "How long before its end a certificate is an alarm." },

	{ IN(OUTBOUND), "use", &T_NAMES, C(outbound.use), "", 0, 0, LIVE, "direct",
	  "The egresses that such mail may take, in this order: the first that the record of SPF "
	  "of the sender's domain passes, else the first that it does not speak against." },
	{ IN(OUTBOUND), "temperror_wait", &T_DURATION, C(outbound.temperror_wait_ms), "4h", 0,
	  DAYS(5), LIVE, NULL,
	  "How long mail waits for a record of SPF that cannot be read, before its sender is "
	  "rewritten (srs)." },
	{ IN(OUTBOUND), "clients", &T_NETS, C(outbound.clients), "", 0, 0, LIVE, NULL,
	  "Addresses that mail to the outside is taken from, with any sender. Only addresses that "
	  "are theirs alone, never those of a shared platform." },
	{ IN(OUTBOUND), "certificates", &T_FINGERPRINTS, C(outbound.certificates), "", 0, 0,
	  NEW_SESSIONS, NULL,
	  "SHA-256 fingerprints of client certificates whose owners may send to the outside, with "
	  "any sender. They are asked for on listeners with auth = true." },
	{ IN(OUTBOUND), "users", &T_FILE, C(outbound.users), "", 0, 0, LIVE,
	  "/etc/posthouse/users",
	  "The file of those who may log in, a line each: NAME:HASH:SENDERS, as posthouse passwd "
	  "prints it. SENDERS are addresses and @domains with commas between; without any, it is "
	  "each address of our domains. Others must not be able to read the file." },
	{ IN(OUTBOUND), "rate", &T_INT, C(outbound.rate), "3600", 0, 10000000, LIVE, NULL,
	  "Most recipients at the outside in an hour, of one client or one user, also those that "
	  "SRS addresses lead to; then 450, and an alarm. 0: any number." },

	{ IN(TABLE), "engine", &T_ENGINE, C(table.engine), "sqlite", 0, 0, RESTART, NULL,
	  "What keeps the table: sqlite." },
	{ IN(TABLE), "path", &T_PATH, C(table.path), "/var/lib/posthouse/cutover.db", 0, 0, RESTART,
	  NULL,
	  "The file of the table." },

	{ IN(SPOOL), "path", &T_PATH, C(spool.path), "/var/spool/posthouse", 0, 0, RESTART, NULL,
	  "The directory of the journal, on a disk that keeps what it has synced." },
	{ IN(SPOOL), "retain", &T_DURATION, C(spool.retain_ms), "7d", 0, DAYS(366), LIVE, NULL,
	  "How long a delivered message is kept for replay, from its last delivery on." },
	{ IN(SPOOL), "parked", &T_DURATION, C(spool.parked_ms), "30d", SECS(1), DAYS(3660), LIVE,
	  NULL,
	  "How long parked mail waits for an administrator; a copy whose primary was delivered "
	  "waits only for retain." },
	{ IN(SPOOL), "max", &T_SIZE, C(spool.max_bytes), "50G", MIB(1), GIB(1048576), LIVE, NULL,
	  "Most the journal may take of the disk." },
	{ IN(SPOOL), "segment", &T_SIZE, C(spool.segment_bytes), "64M", KIB(64), GIB(1), RESTART,
	  NULL,
	  "The size of one file of the journal." },
	{ IN(SPOOL), "spares", &T_INT, C(spool.spares), "3", 1, 64, RESTART, NULL,
	  "Files of the journal that are ready before they are needed. Two of them are kept for "
	  "results." },
	{ IN(SPOOL), "wipe", &T_BOOL, C(spool.wipe), "false", 0, 0, RESTART, NULL,
	  "Overwrite what the journal gives back with zeros, at most 16 MB a second. Without it, "
	  "deleted and delivered mail stays readable in the files of the spool, for those who may "
	  "read them, until newer mail takes its place: long after retain, where little mail "
	  "comes. With it, files are given back once all that they hold is past retain, but for "
	  "the one that is being written and about as many as waiting mail takes, and are "
	  "overwritten within minutes; under load, newer mail may take the place first. It has no "
	  "effect on a file system that copies on write (Btrfs, ZFS), nor on what a disk, a "
	  "snapshot or a backup keeps by itself." },

	{ IN(AUDIT), "path", &T_PATH, C(audit.path), "/var/lib/posthouse/audit", 0, 0, RESTART,
	  NULL,
	  "The directory of the index." },
	{ IN(AUDIT), "keep", &T_DURATION, C(audit.keep_ms), "90d", MINS(60), DAYS(36600), LIVE,
	  NULL,
	  "How long the index remembers." },
	{ IN(AUDIT), "events", &T_FILE, C(audit.events), "/var/log/posthouse/events.jsonl", 0, 0,
	  RESTART, NULL, "A file that gets every event as a line of JSON. Empty: none." },
	{ IN(AUDIT), "subject", &T_BOOL, C(audit.subject), "false", 0, 0, LIVE, NULL,
	  "The subject of each message is kept in the journal and the index, and trace finds by "
	  "it. Off by default: a subject is content." },

	{ IN(CONTROL), "socket", &T_PATH, C(control.socket), "/run/posthouse/control.sock", 0, 0,
	  RESTART, NULL, "The socket that posthouse(1) talks to." },

	{ IN(RESOLVER), "servers", &T_RESOLVERS, C(resolver.server), "", 0, 0, LIVE, NULL,
	  "Name servers. Without them those of /etc/resolv.conf." },
	{ IN(RESOLVER), "timeout", &T_DURATION, C(resolver.timeout_ms), "5s", MS(10), MINS(5), LIVE,
	  NULL,
	  "Longest wait for one answer." },
	{ IN(RESOLVER), "validating", &T_BOOL, C(resolver.validating), "false", 0, 0, LIVE, NULL,
	  "The name servers validate DNSSEC and the way to them is safe: their AD bit is "
	  "believed." },

	{ IN(LIMITS), "connections", &T_INT, C(limits.connections), "2000", 1, 100000, LIVE, NULL,
	  "Most clients at once. One more is told 421." },
	{ IN(LIMITS), "per_client", &T_INT, C(limits.per_client), "50", 1, 100000, LIVE, NULL,
	  "Most connections of one address at once." },
	{ IN(LIMITS), "message", &T_SIZE, C(limits.message_bytes), "50M", KIB(64), GIB(1),
	  NEW_SESSIONS,
	  NULL, "Largest message, announced by SIZE (RFC 1870)." },
	{ IN(LIMITS), "recipients", &T_INT, C(limits.recipients), "1000", 100, 50000, NEW_SESSIONS,
	  NULL,
	  "Most recipients of one message (RFC 5321 4.5.3.1.8)." },
	{ IN(LIMITS), "body_memory", &T_SIZE, C(limits.body_memory_bytes), "128M", MIB(1),
	  GIB(1024),
	  LIVE, NULL, "Memory for bodies that are being received, all together. From three "
	  "quarters on they go to the disk early, and senders wait for it." },
	{ IN(LIMITS), "memory_window", &T_SIZE, C(limits.memory_window_bytes), "128M", 0, GIB(1024),
	  LIVE, NULL,
	  "Memory for accepted messages that are sent on without being read back from the disk." },
	{ IN(LIMITS), "errors", &T_INT, C(limits.errors), "20", 1, 100000, NEW_SESSIONS, NULL,
	  "Refusals in one session, then 421." },
	{ IN(LIMITS), "commands", &T_INT, C(limits.commands), "100", 10, 100000, NEW_SESSIONS, NULL,
	  "Commands in a row that bring no message (NOOP, RSET, VRFY), then 421." },
	{ IN(LIMITS), "command_timeout", &T_DURATION, C(limits.command_timeout_ms), "5m", TIMEOUT,
	  NEW_SESSIONS, NULL, "Longest silence between commands (RFC 5321 4.5.3.2.7)." },
	{ IN(LIMITS), "data_timeout", &T_DURATION, C(limits.data_timeout_ms), "5m", TIMEOUT,
	  NEW_SESSIONS, NULL, "Longest silence inside a body." },
	{ IN(LIMITS), "tls_timeout", &T_DURATION, C(limits.tls_timeout_ms), "30s", TIMEOUT,
	  NEW_SESSIONS, NULL, "Longest TLS handshake of a client." },
	{ IN(LIMITS), "proxy_timeout", &T_DURATION, C(limits.proxy_timeout_ms), "5s", TIMEOUT,
	  NEW_SESSIONS, NULL, "Longest wait for a PROXY header." },
	{ IN(LIMITS), "min_rate", &T_SIZE, C(limits.min_rate), "100", 0, MIB(1), NEW_SESSIONS, NULL,
	  "Fewest bytes a second that a body must come in at, on average. 0: any." },
	{ IN(LIMITS), "min_rate_grace", &T_DURATION, C(limits.min_rate_grace_ms), "60s", 0, DAYS(1),
	  NEW_SESSIONS, NULL, "How long a body may come in slower." },
	{ IN(LIMITS), "hops", &T_INT, C(limits.hops), "100", 10, 1000, NEW_SESSIONS, NULL,
	  "Most Received fields of a message; with more it goes in a circle (RFC 5321 6.3)." },

	{ IN(RETRY), "steps", &T_DURATIONS, C(retry.steps_ms), "1m 2m 5m 10m 15m 30m 1h", MS(10),
	  DAYS(1),
	  LIVE, NULL, "The wait after each attempt that failed. The last one repeats." },
	{ IN(RETRY), "jitter", &T_INT, C(retry.jitter_percent), "20", 0, 50, LIVE, NULL,
	  "By how many percent a wait is made longer or shorter at random." },
	{ IN(RETRY), "lifetime", &T_DURATION, C(retry.lifetime_ms), "5d", SECS(1), DAYS(60), LIVE,
	  NULL,
	  "When a delivery is given up and its sender told (RFC 5321 4.5.4.1)." },
	{ IN(RETRY), "grace", &T_DURATION, C(retry.grace_ms), "72h", 0, DAYS(60), LIVE, NULL,
	  "How long after a flip an unknown recipient is taken for one that is not there yet." },
	{ IN(RETRY), "suspended", &T_DURATION, C(retry.suspended_ms), "14d", 0, DAYS(366), LIVE,
	  NULL, "Most that the time in which a leg was suspended or down adds to a lifetime." },
	{ IN(RETRY), "known", &T_DURATION, C(retry.known_ms), "30d", 0, DAYS(366), LIVE, NULL,
	  "A recipient delivered on a leg in this time is known to be there." },
	{ IN(RETRY), "known_wait", &T_DURATION, C(retry.known_wait_ms), "24h", 0, DAYS(60), LIVE,
	  NULL, "How long such a recipient waits when the leg calls it unknown." },
	{ IN(RETRY), "handover", &T_DURATION, C(retry.handover_ms), "100ms", 0, MINS(1), LIVE, NULL,
	  "How long an accepted message waits in memory for a free connection; then it is "
	  "queued." },

	{ IN(QUEUE), "max", &T_COUNT, C(queue.max), "5000000", 1, 100000000, LIVE, NULL,
	  "Most deliveries that wait. With more, senders are told 452." },

	{ IN(LOG), "level", &T_LEVEL, C(log.level), "info", 0, 0, LIVE, NULL,
	  "How much is told: error, warn, info or debug." },
	{ IN(LOG), "file", &T_FILE, C(log.file), "", 0, 0, RESTART, NULL,
	  "The file for it. Empty: standard error, which the journal of the system keeps." },
};

/* clang-format on */

const struct param_list params_common = {rows, ARRAY_LEN(rows)};

/* Where a list's count is not in a struct of its own it must follow. */
#define LIST_AT(type, list, count) \
	_Static_assert(offsetof(type, count) == \
			   offsetof(type, list) + sizeof(void *), #count)
LIST_AT(struct conf_listen, address, addresses);
LIST_AT(struct conf_listen, certificate, certificates);
LIST_AT(struct conf_leg, host, hosts);
LIST_AT(struct conf, resolver.server, resolver.servers);
LIST_AT(struct conf, retry.steps_ms, retry.steps);
