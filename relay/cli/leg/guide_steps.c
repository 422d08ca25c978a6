/* SPDX-License-Identifier: ISC
 *
 * The tables of `leg guide`. Names of menus, cmdlets and settings are the
 * platforms' own (Exchange Online, Microsoft Defender, Google Admin console,
 * Postfix, Exim, rspamd, SpamAssassin), as their manuals had them in 2026.
 */
#include "relay/cli/leg/guide_steps.h"

#include <string.h>

#define NONE (1U << TRUST_NONE)
#define ADDRESS (1U << TRUST_ADDRESS)
#define CERTIFICATE (1U << TRUST_CERTIFICATE)
#define SKIP (1U << TRUST_SKIP_LISTING)
#define GATEWAY (1U << TRUST_INBOUND_GATEWAY)
#define KNOWN (ADDRESS | CERTIFICATE)
#define ALL (NONE | KNOWN | SKIP | GATEWAY)

#define OURS "posthouse.conf, leg \"{leg}\""

#define STEPS_FIRST \
	{ALL, FACT_NO_ADDRESS, 0, "posthouse.conf", \
	    "Write the addresses that the leg sees us by: " \
	    "public_address = { \"198.51.100.7\" }. They stand where " \
	    "OUR-ADDRESS stands below.", \
	    NULL}
#define STEP_REWRITE(TRUST) \
	{TRUST, 0, FACT_REWRITES | FACT_XCLIENT, OURS, \
	    "Write rewrite_sender = \"when-spf-fails\": a sender whose " \
	    "domain does not allow our address goes under srs.domain " \
	    "then.", \
	    NULL}
#define STEPS_LAST \
	{ALL, 0, 0, "here", \
	    "See whether the leg takes mail now, and what our DNS records " \
	    "lack.", \
	    "posthouse leg probe {leg}\nposthoused -t --dns"}, \
	{0}

#define BY_ADDRESS \
	    "Exchange admin center > Mail flow > Connectors > Add a " \
	    "connector", \
	    "From: Your organization's email server. To: Microsoft " \
	    "365. It is identified by its IP addresses: {addresses}. " \
	    "Require TLS.", \
	    "New-InboundConnector -Name \"Posthouse\" -ConnectorType " \
	    "OnPremises -SenderDomains * -SenderIPAddresses {list} " \
	    "-RequireTls $true"
#define BY_CERTIFICATE \
	    "Exchange admin center > Mail flow > Connectors > Add a " \
	    "connector", \
	    "From: Your organization's email server. To: Microsoft " \
	    "365. It is identified by the subject name of its " \
	    "certificate: {name}. That name, or the domain above it, " \
	    "must be an accepted domain of the tenant. The file of the " \
	    "certificate must have its intermediates (450 4.4.317 says " \
	    "that they are missing).", \
	    "New-InboundConnector -Name \"Posthouse\" -ConnectorType " \
	    "OnPremises -SenderDomains * -TlsSenderCertificateName " \
	    "\"{name}\" -RequireTls $true"

static const struct guide_step microsoft365[] = {
	STEPS_FIRST,
	{NONE, 0, 0, "the tenant",
	    "There is nothing to set up: the tenant judges each sender "
	    "by our address, and refuses or takes for junk what SPF or "
	    "DMARC fails. Where Direct Send is rejected, senders of "
	    "the tenant's own domains are refused (550 5.7.68); that "
	    "needs a connector, and trust = \"certificate\" or "
	    "\"address\" here.",
	    NULL},
	{ADDRESS, 0, 0, BY_ADDRESS},
	{SKIP, 0, FACT_CERTIFICATE, BY_ADDRESS},
	{ADDRESS, 0, 0, "the tenant",
	    "A connector by address may not cover null senders and "
	    "senders of other domains (550 5.7.64). Where they are "
	    "refused, let it know us by a certificate.",
	    NULL},
	{CERTIFICATE, 0, 0, BY_CERTIFICATE},
	{SKIP, FACT_CERTIFICATE, 0, BY_CERTIFICATE},
	{SKIP, 0, 0,
	    "Microsoft Defender portal > Email & collaboration > Policies & "
	    "rules > Threat policies > Enhanced filtering",
	    "Open the connector and have it skip these IP addresses: "
	    "{addresses}. It then judges the client that came to us. For a "
	    "pilot, name its users there; every recipient of a message must be "
	    "among them, so write max_recipients = 1 for this leg meanwhile.",
	    "Set-InboundConnector -Identity \"Posthouse\" -EFSkipLastIP $false "
	    "-EFSkipIPs {list}"},
	{GATEWAY, 0, 0, OURS,
	    "inbound-gateway is Google's list of gateways, which Microsoft 365 "
	    "does not have. Write trust = \"skip-listing\" and ask again.",
	    NULL},
	{ADDRESS | SKIP, FACT_IPV6, 0, OURS,
	    "A connector takes IPv4 addresses alone, and networks from "
	    "/24 to /32. Write family = \"ipv4\", and leave IPv6 out "
	    "of what is entered there.",
	    NULL},
	STEP_REWRITE(NONE | KNOWN),
	STEPS_LAST,
};

static const struct guide_step google[] = {
	STEPS_FIRST,
	{NONE, 0, 0, "the account",
	    "There is nothing to set up: Google judges each sender by our "
	    "address, and refuses or takes for spam what SPF or DMARC fails.",
	    NULL},
	{ADDRESS, 0, 0,
	    "Admin console > Apps > Google Workspace > Gmail > Spam, Phishing "
	    "and Malware > Email allowlist",
	    "Enter {addresses}. Mail from there is not taken for spam; "
	    "DMARC is judged by our address all the same, and may "
	    "refuse a sender. With trust = \"inbound-gateway\" it is "
	    "not.",
	    NULL},
	{CERTIFICATE, 0, 0, OURS,
	    "Google knows a gateway by its address alone. Write trust = "
	    "\"inbound-gateway\", or \"address\", and ask again.",
	    NULL},
	{GATEWAY, 0, 0,
	    "Admin console > Apps > Google Workspace > Gmail > Spam, Phishing "
	    "and Malware > Inbound gateway",
	    "Gateway IPs: {addresses} (public ones alone). Check "
	    "\"Automatically detect external IP\" and \"Require TLS "
	    "for connections from the email gateways listed above\". "
	    "Leave \"Reject all mail not from gateway IPs\" unchecked "
	    "for as long as mail may reach Google past us. Google then "
	    "judges the client that came to us.",
	    NULL},
	{SKIP, 0, 0, OURS,
	    "skip-listing is Microsoft's enhanced filtering, which Google does "
	    "not have. Write trust = \"inbound-gateway\" and ask again.",
	    NULL},
	{ALL, FACT_NOTIFY, 0, OURS,
	    "Write copy_return = \"token\": Google does not offer DSN, so it "
	    "would tell the sender of a copy that bounces.",
	    NULL},
	STEP_REWRITE(NONE | KNOWN),
	STEPS_LAST,
};

static const struct guide_step generic[] = {
	STEPS_FIRST,
	{NONE, 0, FACT_XCLIENT, "the server",
	    "There is nothing to set up: the server judges each sender by our "
	    "address.",
	    NULL},
	{SKIP | GATEWAY, 0, 0, OURS,
	    "skip-listing is Microsoft's, inbound-gateway is Google's. "
	    "A server of one's own is told the client (xclient = "
	    "true), or its filters look past us: write trust = "
	    "\"address\" and ask again.",
	    NULL},
	{NONE | KNOWN, FACT_XCLIENT, 0, "Postfix, main.cf",
	    "It is told the client of each message, and its SPF, greylist, "
	    "block lists and fail2ban see that client. Our address in "
	    "mynetworks gives no right then.",
	    "smtpd_authorized_xclient_hosts = {postfix}"},
	{ADDRESS, 0, FACT_XCLIENT, "Postfix, main.cf",
	    "Ahead of each check of the client (SPF, greylist, block "
	    "lists), in smtpd_client_restrictions or where it stands. "
	    "mynetworks would let us relay, too: only where the server "
	    "is also an egress.",
	    "smtpd_client_restrictions = check_client_access "
	    "cidr:/etc/postfix/posthouse.cidr, ...\n"
	    "# /etc/postfix/posthouse.cidr\n"
	    "{address} OK"},
	{CERTIFICATE, 0, FACT_XCLIENT, "Postfix, main.cf",
	    "Ahead of each check of the client (SPF, greylist, block "
	    "lists), in smtpd_client_restrictions or where it stands.",
	    "smtpd_tls_ask_ccert = yes\n"
	    "smtpd_tls_fingerprint_digest = sha256\n"
	    "smtpd_client_restrictions = check_ccert_access "
	    "texthash:/etc/postfix/posthouse.certs, ...\n"
	    "# /etc/postfix/posthouse.certs\n"
	    "{fingerprint} OK"},
	{KNOWN, 0, FACT_XCLIENT, "Exim, the ACL of RCPT",
	    "Our address is left out of the checks of the client.",
	    "deny !hosts = <, {addresses}\n"
	    "     dnslists = ...\n"
	    "deny !hosts = <, {addresses}\n"
	    "     spf = fail"},
	{KNOWN, 0, FACT_XCLIENT, "rspamd, local.d/external_relay.conf",
	    "It judges the client in our Received. It must not reject: the "
	    "message is ours by then, and its sender would be told by us.",
	    "enabled = true;\n"
	    "rules { POSTHOUSE { strategy = \"ip_map\"; ip_map = "
	    "[ {quoted} ]; } }"},
	{KNOWN, 0, FACT_XCLIENT, "SpamAssassin, local.cf",
	    "The last host outside of its internal networks is the client; SPF "
	    "and our results are read from our fields.",
	    "internal_networks {address}\n"
	    "trusted_networks {address}\n"
	    "authres_trusted_authserv {id}"},
	{KNOWN, 0, FACT_XCLIENT, "fail2ban, jail.local",
	    "Our address is never shut out.",
	    "ignoreip = {spaced}"},
	STEP_REWRITE(NONE),
	STEPS_LAST,
};

const struct guide_step *guide_steps(const char *profile)
{
	if (strcmp(profile, "microsoft365") == 0)
		return microsoft365;
	if (strcmp(profile, "google") == 0)
		return google;
	return generic;
}
