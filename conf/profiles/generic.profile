# What the answers of any mail server mean, and what a leg may be asked when
# its own profile does not say. The rows of every other profile stand before
# these. The first row that fits an answer counts.

date = "2026-11-01"
max_recipients = 100
max_messages = 1000
max_age = "15m"

# Nothing was said of a message before MAIL: whatever it is, it is about us
# or the leg, and no reason to bounce anything.

reply {
    code = "421"
    enhanced = "4.7.*"
    class = "throttle"
    help = "The leg takes no more from us for now. It is asked with fewer connections; if this lasts, ask its operator for our limits."
}

reply {
    code = "400-499"
    stage = { "hello" }
    class = "network"
    help = "The leg turns us away before a message is offered. It is tried again; if this lasts, look at its load and its log."
}

reply {
    code = "500-599"
    stage = { "hello" }
    class = "configuration"
    help = "The leg does not want to talk to us. Let its operator allow our address and our EHLO name, or correct hosts, tls and helo of the leg."
}

# The rest of the recipients in a transaction of their own, at once.

reply {
    code = "452"
    enhanced = "4.5.3"
    class = "split"
    help = "The leg takes fewer recipients at once. max_recipients of the leg saves the question."
}

reply {
    code = "452"
    enhanced = "none"
    stage = { "rcpt" }
    text = "too many"
    class = "split"
    help = "The leg takes fewer recipients at once. max_recipients of the leg saves the question."
}

reply {
    code = "400-599"
    stage = { "rcpt" }
    text = "multiple destination domains"
    class = "split"
    help = "The leg takes recipients of one domain at once."
}

# One mailbox has trouble; the others do not.

reply {
    code = "400-599"
    enhanced = "*.2.2"
    class = "mailbox"
    help = "The mailbox is full. Its owner has to make room, or its quota has to grow."
}

reply {
    code = "400-499"
    enhanced = "4.2.1"
    class = "mailbox"
    help = "The mailbox takes nothing for now. It is tried again by itself."
}

reply {
    code = "432"
    class = "mailbox"
    help = "Too much is delivered to this mailbox at the same time. It is tried again by itself."
}

# The leg has too much to do.

reply {
    code = "421"
    class = "throttle"
    help = "The leg ends the connection because it is busy. It is asked with fewer connections."
}

reply {
    code = "400-499"
    enhanced = "4.3.1"
    class = "throttle"
    help = "The leg has no room. Look at its disk; until then it is asked with fewer connections."
}

reply {
    code = "400-499"
    enhanced = "4.3.2"
    class = "throttle"
    help = "The leg takes no mail for now. It is asked with fewer connections."
}

# The leg is not set up for us, or we are not for it.

reply {
    code = "530"
    class = "configuration"
    help = "The leg wants TLS or a login first. Write tls = \"encrypt\", or auth_user and auth_secret, for this leg, or let it trust our address."
}

reply {
    code = "534-535"
    class = "configuration"
    help = "The leg does not accept our login. Correct auth_user and the file auth_secret, or let it trust our address."
}

reply {
    code = "538"
    class = "configuration"
    help = "The leg wants our login over TLS. Write tls = \"verify\" for this leg."
}

reply {
    code = "400-599"
    enhanced = "*.3.5"
    class = "configuration"
    help = "The leg says that it is set up wrongly. Look at its log."
}

# It came round too often.

reply {
    code = "500-599"
    enhanced = "5.4.6"
    class = "loop"
    help = "The message goes in circles. Look where the leg forwards this address to."
}

reply {
    code = "500-599"
    enhanced = "5.4.14"
    class = "loop"
    help = "The message goes in circles. Look where the leg forwards this address to."
}

# Nobody of that name.

reply {
    code = "500-599"
    enhanced = "5.1.1"
    class = "recipient"
    help = "The leg does not know the recipient. Create the mailbox there, or correct the route or the leg's address of its row."
}

reply {
    code = "500-599"
    enhanced = "5.1.10"
    class = "recipient"
    help = "The leg does not know the recipient. Create the mailbox there, or correct the route or the leg's address of its row."
}

reply {
    code = "500-599"
    enhanced = "5.4.1"
    class = "recipient"
    help = "The leg does not know the recipient, or not the domain. Create the mailbox there, or correct the route or the leg's address of its row."
}

# Behind 5.1.1: Postfix says "User unknown in relay recipient table".

reply {
    code = "500-599"
    stage = { "mail", "rcpt" }
    text = "relay"
    class = "configuration"
    help = "The leg does not take mail for this domain from us. Let it relay for our address, or let it have the domain."
}

# Nobody, it seems.

reply {
    code = "550-551"
    enhanced = "none"
    stage = { "rcpt" }
    class = "recipient"
    help = "The leg does not want the recipient and does not say why. Look at its log."
}

# We are not understood.

reply {
    code = "500-504"
    class = "configuration"
    help = "The leg did not understand us. It may be no mail server, or something between us and it may change what is said."
}

# All the rest.

reply {
    code = "400-499"
    class = "none"
    help = "The leg asks for time and does not say why. Look at the text of its reply."
}

reply {
    code = "505-599"
    class = "message"
    help = "The leg refuses this message. Look at the text of its reply."
}
