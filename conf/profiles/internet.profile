# The internet: servers of strangers, which a direct egress meets. What such a
# server refuses for good is the sender's to know at once: there is no
# administrator of ours who could mend it, and a refusal says nothing of the
# other servers that the same egress speaks to.

date = "2026-11-30"

reply {
    code = "452"
    enhanced = "4.5.3"
    class = "split"
    help = "The server takes fewer recipients at once; the rest follow by themselves."
}

reply {
    code = "552"
    enhanced = "5.5.3"
    class = "split"
    help = "The server takes fewer recipients at once; the rest follow by themselves."
}

reply {
    code = "500-599"
    enhanced = "5.4.6"
    class = "loop"
    outcome = "failed"
    help = "The recipient's servers send this message in a circle. Its owner has to mend that."
}

reply {
    code = "500-599"
    enhanced = "5.1-2.*"
    stage = { "rcpt", "data" }
    class = "recipient"
    outcome = "failed"
    help = "The recipient's server does not know the address, or its mailbox takes nothing. Its sender was told."
}

reply {
    code = "550-553"
    enhanced = "none"
    stage = { "rcpt" }
    class = "recipient"
    outcome = "failed"
    help = "The recipient's server does not take the address. Its sender was told."
}

# A server that refuses the session itself: another of the domain may not.

reply {
    code = "500-599"
    stage = { "hello" }
    class = "network"
    outcome = "deferred"
    help = "The recipient's server refuses the connection. Its other servers are tried, and it is tried again by itself. If many do so, look whether our address is on a block list and has a PTR record."
}

reply {
    code = "500-599"
    class = "message"
    outcome = "failed"
    help = "The recipient's server refuses this message. Its sender was told."
}

reply {
    code = "400-499"
    class = "none"
    help = "The recipient's server asks for time. It is tried again by itself."
}
