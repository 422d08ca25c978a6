# Microsoft 365: the replies of Exchange Online to a server that brings mail
# for its tenants, and what it allows.

date = "2026-11-01"
note = "Posthouse must not stand between an Exchange server and its tenant in a hybrid: what they tell each other in headers would be lost. Its place is on the internet side of both."
max_recipients = 200
max_messages = 200          # a connection is cut at 20 minutes
max_age = "15m"
ask_rate = 2                # of a preflight: it blocks addresses that ask too much
mailbox_hour = 3600         # 5.2.121 beyond; a replay uses half
no_dead_hosts = true        # a few addresses answer for all tenants
ignores_notify = true       # NOTIFY=NEVER is not known to be honoured
networks = {
    "40.92.0.0/15", "40.107.0.0/16", "52.100.0.0/14", "104.47.0.0/17",
    "2a01:111:f400::/48", "2a01:111:f403::/48"
}


# ---- the connector, our certificate, our address

reply {
    code = "500-599"
    enhanced = "5.7.64"
    class = "configuration"
    help = "Our certificate or address no longer fits the tenant's inbound connector. Correct the connector; only one that knows us by certificate takes forwarded mail and the tenant's own bounces."
}

reply {
    code = "500-599"
    enhanced = "5.7.68"
    class = "configuration"
    help = "Mail with a sender of the tenant's own domain came over no connector, and Direct Send is rejected there. Make an inbound connector that fits us, by certificate."
}

reply {
    code = "500-599"
    enhanced = "5.7.51"
    class = "configuration"
    help = "An inbound connector of the tenant takes mail by certificate or address only, and ours does not fit. Correct the connector."
}

reply {
    code = "500-599"
    enhanced = "5.4.1"
    text = { "relay access denied" }
    class = "configuration"
    help = "The domain is not the tenant's, or not yet. Add it there, or correct the hosts of the leg."
}

reply {
    code = "500-599"
    enhanced = "5.7.230"
    class = "configuration"
    help = "The platform blocks an outdated Exchange server behind us. Update it; until then its mail waits here."
}

reply {
    code = "400-499"
    enhanced = "4.7.230"
    class = "configuration"
    help = "The platform slows an outdated Exchange server behind us, and will block it. Update it."
}

reply {
    code = "400-499"
    enhanced = "4.4.317"
    class = "configuration"
    help = "The chain of our client certificate is not complete, or TLS is wanted. Put the intermediate certificates into its file (the platform never fetches them), and look at tls of the leg."
}

reply {
    code = "530"
    enhanced = "5.7.57"
    class = "configuration"
    help = "The platform wants a login. Use the MX name of the tenant with an inbound connector, or auth_user and auth_secret."
}

reply {
    code = "535"
    enhanced = "5.7.*"
    class = "configuration"
    help = "The platform does not accept our login. Correct auth_user and the file auth_secret, or use an inbound connector instead."
}

reply {
    code = "550"
    enhanced = "5.4.310"
    class = "configuration"
    help = "The platform does not find the domain in DNS that it is to send to. Correct the connector of the tenant, or the domain there."
}

reply {
    code = "500-599"
    enhanced = "5.7.1"
    text = { "spamhaus*", "block list", "blocked using" }
    class = "configuration"
    help = "Our address is on a block list that the platform asks. Its text names the list; ask there for removal, or send from another address."
}

reply {
    code = "500-599"
    enhanced = "5.7.1"
    text = { "client ... not authenticated", "unable to relay" }
    class = "configuration"
    help = "The platform does not know us as a gateway. Make an inbound connector that fits us, by certificate."
}

reply {
    code = "550"
    enhanced = "5.5.4"
    class = "configuration"
    help = "Our EHLO name is not liked. Write helo of this leg, a name that has an address."
}

reply {
    code = "500-599"
    enhanced = "5.7.506"
    class = "configuration"
    help = "Our EHLO name is not liked. Write helo of this leg, a name that has an address."
}

reply {
    code = "500-599"
    enhanced = "5.7.512"
    text = { "rfc" }
    class = "message"
    help = "The message has not the header fields that it must have. The sending program has to be corrected."
}

reply {
    code = "500-599"
    enhanced = "5.7.511-513"
    class = "configuration"
    help = "Our address is blocked, by the platform or by the tenant's own list. Ask for its removal, or send from another address."
}

reply {
    code = "500-599"
    enhanced = "5.7.606-649"
    class = "configuration"
    help = "Our address is on a block list of the platform. Ask for its removal at the platform's delisting portal, or send from another address."
}

reply {
    code = "500-599"
    enhanced = "5.7.703"
    class = "message"
    help = "The tenant blocks this sender or what is in the message. Look at its allow and block list."
}

reply {
    code = "500-599"
    enhanced = "5.7.750"
    class = "configuration"
    help = "The platform does not know the sender's domain as one of the tenant's. Add the domain there, or correct the connector."
}

reply {
    code = "500-599"
    enhanced = "5.7.705"
    class = "configuration"
    help = "The platform limits or blocks the tenant, or our address for it. The administration centre of the tenant says why; let its operator ask for release."
}

reply {
    code = "500-599"
    enhanced = "5.7.708"
    class = "configuration"
    help = "The platform limits or blocks the tenant, or our address for it. The administration centre of the tenant says why; let its operator ask for release."
}

reply {
    code = "500-599"
    enhanced = "5.7.700-749"
    class = "throttle"
    help = "The platform limits or blocks the tenant, or our address for it. The administration centre of the tenant says why; let its operator ask for release."
}

# ---- too fast, or too new

reply {
    code = "450"
    enhanced = "4.7.650-651"
    class = "throttle"
    help = "The reputation of our address is low: the platform takes mail slowly. An inbound connector with this address lifts it."
}

reply {
    code = "400-499"
    enhanced = "4.7.500-899"
    class = "throttle"
    help = "Our address is new to the platform and on probation. An inbound connector with this address lifts it."
}

reply {
    code = "421"
    enhanced = "4.3.2"
    class = "throttle"
    help = "The platform is busy, or has too many connections of ours. It is asked with fewer."
}

reply {
    code = "451"
    enhanced = "4.3.2"
    class = "throttle"
    help = "The platform is busy, or has too many connections of ours. It is asked with fewer."
}

reply {
    code = "550"
    enhanced = "5.1.90"
    class = "throttle"
    help = "More than the platform allows comes from us or from this sender in a day. It is tried again by itself."
}

reply {
    code = "550"
    enhanced = "5.7.508"
    class = "throttle"
    help = "More than the platform allows comes from us in an hour. It is tried again by itself."
}

# ---- one mailbox

reply {
    code = "432"
    enhanced = "4.3.2"
    class = "mailbox"
    help = "Too much is delivered to this mailbox at the same time. It is tried again by itself."
}

reply {
    code = "550"
    enhanced = "5.2.121-122"
    class = "mailbox"
    help = "The mailbox has had what it may receive in an hour (3600 messages, a third of them from one sender). It is tried again by itself."
}

reply {
    code = "552"
    enhanced = "5.2.2"
    class = "mailbox"
    help = "The mailbox is full. Its owner has to make room, or its quota has to grow."
}

reply {
    code = "452"
    enhanced = "4.2.2"
    class = "mailbox"
    help = "The mailbox is full. Its owner has to make room, or its quota has to grow."
}

# ---- senders, recipients, messages

reply {
    code = "550"
    enhanced = "5.7.509"
    class = "authentication"
    help = "The sender's domain has a policy that this message fails, since it came over us. Declare us in the inbound connector and turn enhanced filtering on; then retry what is parked."
}

reply {
    code = "550"
    enhanced = "5.7.515"
    class = "authentication"
    help = "The sender's domain has a policy that this message fails, since it came over us. Declare us in the inbound connector and turn enhanced filtering on; then retry what is parked."
}

reply {
    code = "550"
    enhanced = "5.7.23"
    class = "authentication"
    help = "The sender's domain has a policy that this message fails, since it came over us. Declare us in the inbound connector and turn enhanced filtering on; then retry what is parked."
}

reply {
    code = "550"
    enhanced = "5.7.26"
    class = "authentication"
    help = "The sender's domain has a policy that this message fails, since it came over us. Declare us in the inbound connector and turn enhanced filtering on; then retry what is parked."
}

reply {
    code = "500-599"
    enhanced = "5.7.320-325"
    class = "authentication"
    help = "The certificate or the DNS records of a host that the platform is to send to are wrong, so it believes nothing. Correct the connector of the tenant."
}

reply {
    code = "400-499"
    enhanced = "4.7.320-325"
    class = "authentication"
    outcome = "deferred"
    help = "The certificate or the DNS records of a host that the platform is to send to are wrong, so it believes nothing. Correct the connector of the tenant."
}

reply {
    code = "500-599"
    enhanced = "5.7.124"
    class = "message"
    help = "The mailbox or group does not take mail of this sender. Its owner has to allow it."
}

reply {
    code = "500-599"
    enhanced = "5.7.133-136"
    class = "message"
    help = "The mailbox or group does not take mail of this sender. Its owner has to allow it."
}

reply {
    code = "500-599"
    enhanced = "5.7.501-503"
    class = "message"
    help = "The platform does not take mail of this sender. Its operator has to ask the platform for release."
}

reply {
    code = "550"
    enhanced = "5.2.1"
    text = { "content filter", "quarantined" }
    class = "message"
    help = "A filter of the tenant holds the message back. Look at the quarantine there."
}

reply {
    code = "550"
    enhanced = "5.3.0"
    text = { "too many related errors" }
    class = "message"
    help = "Too much went wrong with this message. Look at the text of the reply."
}

reply {
    code = "550"
    enhanced = "5.4.11"
    class = "message"
    help = "The message was answered by rules too often. Look at the tenant's rules and forwarding."
}

reply {
    code = "550"
    enhanced = "5.1.1"
    class = "recipient"
    help = "The tenant does not know the recipient. Directory synchronisation takes up to an hour; after that create the mailbox or correct the route."
}

reply {
    code = "550"
    enhanced = "5.1.10"
    class = "recipient"
    help = "The tenant does not know the recipient. Directory synchronisation takes up to an hour; after that create the mailbox or correct the route."
}

reply {
    code = "550"
    enhanced = "5.4.1"
    class = "recipient"
    help = "The tenant blocks unknown recipients and does not know this one. Directory synchronisation takes up to an hour; after that create the mailbox or correct the route."
}

reply {
    code = "452"
    enhanced = "4.5.3"
    class = "split"
    help = "The platform takes 200 recipients at once."
}

reply {
    code = "550"
    enhanced = "5.6.11"
    class = "message"
    help = "The message has bare line feeds, which the platform takes by BDAT only. The sending program has to end lines with CR LF."
}

reply {
    code = "500-599"
    enhanced = "5.4.6"
    class = "loop"
    help = "The message passed the platform about 20 times. Look where the tenant forwards this address to, and whether the domain is authoritative there."
}

reply {
    code = "500-599"
    enhanced = "5.4.14"
    class = "loop"
    help = "The message passed the platform about 20 times. Look where the tenant forwards this address to, and whether the domain is authoritative there."
}
