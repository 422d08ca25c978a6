# Microsoft 365: the answers of Exchange Online to a server that brings mail
# for its tenants, and what it allows.

date = "2026-11-01"
note = "Posthouse must not stand between an Exchange server and its tenant in a hybrid: what they tell each other in headers would be lost. Its place is on the internet side of both."
max_recipients = 200
max_messages = 200          # a connection is cut at 20 minutes
max_age = "15m"
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
    help = "The chain of our client certificate is not complete. Put the intermediate certificates into its file: the platform never fetches them."
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
    code = "500-599"
    enhanced = "5.7.606-649"
    class = "configuration"
    help = "Our address is on a block list of the platform. Ask for its removal at the platform's delisting portal, or send from another address."
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
    enhanced = "4.7.500-699"
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
    help = "The sender's domain has a DMARC policy that this message fails, since it came over us. Declare us in the inbound connector and turn enhanced filtering on; then retry what is parked."
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
