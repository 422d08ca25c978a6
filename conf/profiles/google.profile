# Google Workspace: the replies of its servers to one that brings mail for
# its customers, and what they allow.

date = "2026-11-01"
one_domain = true           # recipients of one domain a transaction
ask_rate = 2                # of a preflight: it blocks addresses that ask too much
mailbox_hour = 3600         # 4.2.1 beyond; a replay uses half
networks = {
    "35.190.247.0/24", "64.233.160.0/19", "66.102.0.0/20", "66.249.80.0/20",
    "72.14.192.0/18", "74.125.0.0/16", "108.177.8.0/21", "173.194.0.0/16",
    "209.85.128.0/17", "216.58.192.0/19", "216.239.32.0/19",
    "2001:4860:4000::/36", "2404:6800:4000::/36", "2607:f8b0:4000::/36",
    "2800:3f0:4000::/36", "2a00:1450:4000::/36", "2c0f:fb50:4000::/36"
}

# ---- one sender or one message: the leg is not slowed for it. Where the
# platform counts by the sender's domain (slows), other mail of that domain
# waits, too; it would only make the count worse.

reply {
    code = "421"
    enhanced = "4.7.28"
    text = { "same message-id", "same content", "same url*", "same domain",
        "same link*", "spf domain", "dkim domain", "from domain",
        "sender domain", "sending domain" }
    class = "message"
    slows = "sender"
    help = "The platform slows this message or its sender for what it is. It is tried again by itself; its sender has to send less."
}

reply {
    code = "421"
    enhanced = "4.7.0"
    text = { "content", "links", "suspicious ... nature" }
    class = "message"
    help = "The platform does not like what is in this message. It is tried again by itself."
}

# ---- too fast

reply {
    code = "421"
    enhanced = "4.7.28"
    class = "throttle"
    help = "Too much comes from our address. Declare it as an inbound gateway; until then the platform is asked with fewer connections."
}

reply {
    code = "550"
    enhanced = "5.7.28"
    class = "throttle"
    help = "Too much unsolicited mail comes over our address, the platform says. Declare it as an inbound gateway, so that the platform looks at the original client."
}

reply {
    code = "550"
    enhanced = "5.4.5"
    class = "throttle"
    help = "The limit of the SMTP relay service for a day is reached. It is tried again by itself; the administration console shows the limits."
}

reply {
    code = "450-550"
    text = { "smtp relay ... limit", "relay limit exceeded",
        "mail ... rate limited" }
    class = "throttle"
    help = "The limit of the SMTP relay service is reached. It is tried again by itself; the administration console shows the limits."
}

# ---- one mailbox

reply {
    code = "450"
    enhanced = "4.2.1"
    class = "mailbox"
    help = "The mailbox receives too much at the moment. It is tried again by itself."
}

reply {
    code = "452"
    enhanced = "4.2.2"
    class = "mailbox"
    help = "The mailbox is over its quota. Its owner has to make room."
}

reply {
    code = "552"
    enhanced = "5.2.2"
    class = "mailbox"
    help = "The mailbox is over its quota. Its owner has to make room."
}

reply {
    code = "550"
    enhanced = "5.2.1"
    text = { "rate", "too quickly", "receiving mail" }
    class = "mailbox"
    help = "The mailbox receives too much at the moment. It is tried again by itself."
}

# ---- TLS, our address, the registration of the relay

reply {
    code = "421"
    enhanced = "4.7.29"
    text = { "tls*" }
    class = "configuration"
    help = "The platform wants TLS. Write tls = \"encrypt\" for this leg."
}

reply {
    code = "550"
    enhanced = "5.7.29"
    text = { "tls*" }
    class = "configuration"
    help = "The platform wants TLS. Write tls = \"encrypt\" for this leg."
}

reply {
    code = "421"
    enhanced = "4.7.23"
    class = "configuration"
    help = "Our address has no PTR record, or its name does not lead back to it. Let the owner of the network add one."
}

reply {
    code = "421"
    enhanced = "4.7.25"
    class = "configuration"
    help = "Our address has no PTR record, or its name does not lead back to it. Let the owner of the network add one."
}

reply {
    code = "550"
    enhanced = "5.7.25"
    class = "configuration"
    help = "Our address has no PTR record, or its name does not lead back to it. Let the owner of the network add one."
}

reply {
    code = "400-599"
    text = { "ip not in whitelist", "mail relay denied",
        "invalid credentials for relay" }
    class = "configuration"
    help = "Our address is not registered for relaying. Add it in the administration console, to the relay service or as an inbound gateway."
}

reply {
    code = "421"
    enhanced = "4.7.0"
    text = { "tls required", "ptr record", "reputation", "unusual rate",
        "ip address" }
    class = "configuration"
    help = "The platform thinks little of our address or wants more of our connection. Declare our address as an inbound gateway; look at its PTR record and at tls of the leg."
}

reply {
    code = "535"
    class = "configuration"
    help = "The platform does not accept our login. Correct auth_user and the file auth_secret, or register our address instead."
}

reply {
    code = "500-504"
    text = { "syntax error" }
    class = "message"
    help = "The platform did not understand this message or address. Look at the text of its reply."
}

reply {
    code = "501"
    enhanced = "5.5.2"
    text = { "cannot decode response" }
    class = "configuration"
    help = "The platform did not understand our login. Correct auth_user and the file auth_secret."
}

reply {
    code = "503"
    enhanced = "5.7.0"
    class = "configuration"
    help = "The platform wants one login a connection. Correct auth_user and the file auth_secret."
}

reply {
    code = "550"
    enhanced = "5.7.0"
    text = { "mail sending denied" }
    class = "message"
    help = "The account of the sender is disabled, or not of this platform. Look at the sender."
}

# ---- what the platform thinks of the sender over us

reply {
    code = "550"
    enhanced = "5.7.24-32"
    class = "authentication"
    help = "The platform cannot authenticate the sender, since the message came over us. Declare our address as an inbound gateway; then retry what is parked."
}

reply {
    code = "421-451"
    enhanced = "4.7.26"
    class = "authentication"
    slows = "sender"
    help = "The platform cannot authenticate the sender, since the message came over us. Declare our address as an inbound gateway; then retry what is parked."
}

reply {
    code = "421-451"
    enhanced = "4.7.24-32"
    class = "authentication"
    outcome = "deferred"
    slows = "sender"
    help = "The platform slows this sender, which it cannot authenticate over us. Declare our address as an inbound gateway; it is tried again by itself."
}

reply {
    code = "550"
    enhanced = "5.7.1"
    text = { "authentication checks", "spf checks" }
    class = "authentication"
    help = "The platform cannot authenticate the sender, since the message came over us. Declare our address as an inbound gateway; then retry what is parked."
}

# ---- recipients

reply {
    code = "550"
    enhanced = "5.1.1"
    class = "recipient"
    help = "The platform does not know the recipient. A new account takes an hour and more to be known everywhere; after that create it or correct the route."
}

reply {
    code = "452"
    enhanced = "4.5.3"
    class = "split"
    help = "The platform takes fewer recipients at once."
}

reply {
    code = "400-599"
    text = { "multiple destination domains" }
    class = "split"
    help = "The platform takes recipients of one domain at once."
}
