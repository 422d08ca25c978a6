# Google Workspace: the answers of its servers to one that brings mail for
# its customers, and what they allow.

date = "2026-11-01"
one_domain = true           # recipients of one domain a transaction
networks = {
    "35.190.247.0/24", "64.233.160.0/19", "66.102.0.0/20", "66.249.80.0/20",
    "72.14.192.0/18", "74.125.0.0/16", "108.177.8.0/21", "173.194.0.0/16",
    "209.85.128.0/17", "216.58.192.0/19", "216.239.32.0/19",
    "2001:4860:4000::/36", "2404:6800:4000::/36", "2607:f8b0:4000::/36",
    "2800:3f0:4000::/36", "2a00:1450:4000::/36", "2c0f:fb50:4000::/36"
}

# ---- too fast

reply {
    code = "421"
    enhanced = "4.7.28"
    class = "throttle"
    help = "Too much comes from our address. Declare it as an inbound gateway; until then the platform is asked with fewer connections."
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

# ---- what the platform thinks of us

reply {
    code = "550"
    enhanced = "5.7.26"
    class = "authentication"
    help = "The platform cannot authenticate the sender, since the message came over us. Declare our address as an inbound gateway; then retry what is parked."
}

reply {
    code = "421"
    enhanced = "4.7.26"
    class = "authentication"
    help = "The platform cannot authenticate the sender, since the message came over us. Declare our address as an inbound gateway; then retry what is parked."
}

reply {
    code = "550"
    enhanced = "5.7.25"
    class = "configuration"
    help = "Our address has no PTR record, or its name does not lead back to it. Let the owner of the network add one."
}

reply {
    code = "400-599"
    text = "IP not in whitelist"
    class = "configuration"
    help = "Our address is not registered for relaying. Add it in the administration console, to the relay service or as an inbound gateway."
}

reply {
    code = "535"
    class = "configuration"
    help = "The platform does not accept our login. Correct auth_user and the file auth_secret, or register our address instead."
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
    text = "multiple destination domains per transaction is unsupported"
    class = "split"
    help = "The platform takes recipients of one domain at once."
}
