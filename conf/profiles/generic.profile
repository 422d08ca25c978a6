# What the replies of any mail server mean, and what a leg may be asked when
# its own profile does not say. The rows of every other profile stand before
# these. The first row that fits a reply counts.
#
# So the order is: what an enhanced code says by itself; then phrases, from
# those that leave no doubt to those that do; then the basic code; at last what
# speaks of us, of the connection or of a rate in words that no row knows: that
# is never the message's fault. Of a phrase only the words of the leg count:
# quoted addresses, host names and URLs are cut out of the text before.

date = "2026-11-01"
max_recipients = 100
ask_rate = 20               # recipients a second in a preflight
max_messages = 1000
max_age = "15m"

# ---- before MAIL: nothing was said of a message, so whatever it is, it is
# about us or about the leg, and no reason to bounce anything

reply {
    code = "421"
    enhanced = "4.7.*"
    stage = { "hello" }
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

# ---- it came round too often

reply {
    code = "500-599"
    enhanced = "5.4.*"
    text = { "quota exceeded", "limit exceeded", "sending limit*",
        "sending quota", "daily limit*" }
    class = "throttle"
    help = "More is sent by us than the leg allows. It is tried again by itself; ask its operator for our limits."
}

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

reply {
    code = "500-599"
    text = { "too many hops", "too many received", "hop count exceeded",
        "exceed* ... hops", "hops exceeded", "mail loop*", "mail is looping",
        "mail forwarding loop", "routing loop", "forwarding loop",
        "loop detected", "loop* back to myself", "message is looping",
        "message looping", "looping message" }
    class = "loop"
    help = "The message goes in circles. Look where the leg forwards this address to."
}

reply {
    code = "400-499"
    enhanced = "4.4.6"
    class = "loop"
    outcome = "deferred"
    help = "The message goes in circles. Look where the leg forwards this address to."
}

reply {
    code = "400-499"
    text = { "too many hops", "too many received", "hop count exceeded",
        "exceed* ... hops", "hops exceeded", "mail loop*", "mail is looping",
        "mail forwarding loop", "routing loop", "forwarding loop",
        "loop detected", "loop* back to myself", "message is looping",
        "message looping", "looping message" }
    class = "loop"
    outcome = "deferred"
    help = "The message goes in circles. Look where the leg forwards this address to."
}

# ---- too many at once: the rest goes in a transaction of its own (RFC 5321
# 4.5.3.1.10), unless the count is of an hour or of all that we send

reply {
    code = "400-599"
    text = { "aup#in*", "sent ... too many recipients",
        "too many recipients ... hour", "too many recipients ... day",
        "too many recipients ... today", "daily limit ... recipients",
        "recipients per hour", "recipients per day", "recipient rate limit*" }
    class = "throttle"
    help = "Too much comes from us at once. The leg is asked with fewer connections; if this lasts, ask its operator for our limits."
}

reply {
    code = "400-599"
    enhanced = "*.5.3"
    class = "split"
    help = "The leg takes fewer recipients at once. max_recipients of the leg saves the question."
}

reply {
    code = "400-599"
    text = { "too many recipients", "too many recipients*", "too many rcpts",
        "max* recipients ... exceeded", "recipient limit ... exceeded",
        "recipients limit ... exceeded", "number of recipients exceed*",
        "max* number of recipients", "one recipient ... a time",
        "separate transaction", "recipients in this transaction",
        "recipients per message", "recipients per transaction" }
    class = "split"
    help = "The leg takes fewer recipients at once. max_recipients of the leg saves the question."
}

reply {
    code = "400-599"
    text = { "multiple destination domains", "multiple recipient domains",
        "one domain per transaction", "recipients ... same domain" }
    class = "split"
    help = "The leg takes recipients of one domain at once."
}

# ---- one mailbox has trouble; the others do not

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

reply {
    code = "500-599"
    enhanced = "5.2.1"
    text = { "rate ... prevents", "receiv* ... quickly", "too quickly",
        "too many messages", "rate limit*", "limit exceeded",
        "exceed* ... rate", "receiv* ... rate" }
    class = "mailbox"
    help = "The mailbox receives too much at once. It is tried again by itself."
}

reply {
    code = "400-599"
    text = { "mailbox full", "mailbox is full", "mailbox ... is full",
        "mailbox for user is full", "inbox full", "inbox is full",
        "account is full", "user is full", "is full", "over quota",
        "overquota", "over the quota", "over its quota", "over their quota",
        "quota exceeded", "exceed* ... mailbox quota", "exceed* ... storage",
        "exceed* ... disk quota", "quota full", "out of storage",
        "out of quota", "not enough storage", "insufficient mailbox",
        "insufficient storage", "insufficient space ... mailbox",
        "storage allocation", "mailbox ... exceed*", "mailbox size limit",
        "too much mail data", "no space left for", "full mailbox",
        "mailbox ... full", "storage full", "storage is full",
        "space has been used", "insufficient quota", "not enough quota",
        "out of space", "mailbox space", "not enough space ... mailbox",
        "storage limit" }
    class = "mailbox"
    help = "The mailbox is full. Its owner has to make room, or its quota has to grow."
}

# ---- the leg has trouble of its own: codes

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

reply {
    code = "400-499"
    enhanced = "4.3.*"
    class = "network"
    help = "The leg has trouble of its own. It is tried again by itself; if this lasts, look at its load, its disk and its log."
}

reply {
    code = "400-499"
    enhanced = "4.4.*"
    class = "network"
    help = "The leg has trouble of its own. It is tried again by itself; if this lasts, look at its load, its disk and its log."
}

# ---- this recipient is not there

reply {
    code = "500-599"
    enhanced = "5.1.7-8"
    class = "message"
    help = "The leg does not take mail of this sender. Look at the text of its reply."
}

reply {
    code = "500-599"
    enhanced = "5.1.*"
    text = { "blocked using", "client host ... blocked",
        "client host rejected", "reverse dns", "ptr record", "your ip",
        "sending ip", "relay access denied", "relaying denied",
        "unable to relay" }
    class = "configuration"
    help = "Our name or address is not liked by the leg, whatever its code says. Let its operator allow our address; a block list is left at its own page."
}

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

# ---- the leg disbelieves a sender over us (RFC 7372, RFC 8616): parked, and a
# temporary one waits

reply {
    code = "500-599"
    enhanced = "5.7.20-24"
    class = "authentication"
    help = "The leg does not believe this sender, since the message came over us. Let the leg trust our address as a gateway (Authentication-Results name the original client), then retry what is parked."
}

reply {
    code = "400-499"
    enhanced = "4.7.20-24"
    class = "authentication"
    outcome = "deferred"
    help = "The leg does not believe this sender, since the message came over us. Let the leg trust our address as a gateway (Authentication-Results name the original client), then retry what is parked."
}

reply {
    code = "500-599"
    enhanced = "5.7.26-27"
    class = "authentication"
    help = "The leg does not believe this sender, since the message came over us. Let the leg trust our address as a gateway (Authentication-Results name the original client), then retry what is parked."
}

reply {
    code = "400-499"
    enhanced = "4.7.26-27"
    class = "authentication"
    outcome = "deferred"
    help = "The leg does not believe this sender, since the message came over us. Let the leg trust our address as a gateway (Authentication-Results name the original client), then retry what is parked."
}

reply {
    code = "500-599"
    enhanced = "5.7.29-31"
    class = "authentication"
    help = "The leg does not believe this sender, since the message came over us. Let the leg trust our address as a gateway (Authentication-Results name the original client), then retry what is parked."
}

reply {
    code = "400-499"
    enhanced = "4.7.29-31"
    class = "authentication"
    outcome = "deferred"
    help = "The leg does not believe this sender, since the message came over us. Let the leg trust our address as a gateway (Authentication-Results name the original client), then retry what is parked."
}

reply {
    code = "500-599"
    text = { "spf", "dkim", "dmarc", "spf/dkim", "spf-record", "dmarc-policy",
        "sender policy framework", "authentication check*",
        "sender is unauthenticated", "sender ... failed authentication",
        "unauthenticated email", "unauthenticated mail", "sender id",
        "does not designate", "not ... permitted sender", "arc ... fail*",
        "arc validation" }
    class = "authentication"
    help = "The leg does not believe this sender, since the message came over us. Let the leg trust our address as a gateway (Authentication-Results name the original client), then retry what is parked."
}

reply {
    code = "400-499"
    text = { "spf", "dkim", "dmarc", "spf/dkim", "spf-record", "dmarc-policy",
        "sender policy framework", "authentication check*",
        "sender is unauthenticated", "sender ... failed authentication",
        "unauthenticated email", "unauthenticated mail", "sender id",
        "does not designate", "not ... permitted sender", "arc ... fail*",
        "arc validation" }
    class = "authentication"
    outcome = "deferred"
    help = "The leg does not believe this sender, since the message came over us. Let the leg trust our address as a gateway (Authentication-Results name the original client), then retry what is parked."
}

reply {
    code = "500-599"
    enhanced = "5.7.9"
    text = { "policy reasons", "header error", "message not accepted",
        "email not accepted" }
    class = "message"
    help = "The leg refuses this message by its policy. Look at the text of its reply."
}

reply {
    code = "500-599"
    text = { "message size exceed*", "message size ... limit",
        "message too large", "message too big", "message is too large",
        "message is too big", "message exceed* ... size",
        "message exceed* ... limit", "size exceed*", "exceed* ... size limit",
        "exceed* ... message size", "message length exceed*",
        "maximum message size", "message ... too large", "mail size",
        "data size" }
    class = "message"
    help = "The message is larger than the leg takes. Let its limit grow, or lower limits.message here."
}

# ---- the leg is not set up for us, or we are not for it: codes

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
    code = "523-524"
    class = "configuration"
    help = "The leg wants TLS or a login first. Write tls = \"encrypt\", or auth_user and auth_secret, for this leg, or let it trust our address."
}

reply {
    code = "500-504"
    text = { "syntax error" }
    class = "message"
    help = "The leg did not understand this message or address. Look at the text of its reply, and at the address."
}

reply {
    code = "500-599"
    enhanced = "5.7.8-11"
    class = "configuration"
    help = "The leg wants TLS or a login first. Write tls = \"encrypt\", or auth_user and auth_secret, for this leg, or let it trust our address."
}

reply {
    code = "500-599"
    enhanced = "5.7.14"
    class = "configuration"
    help = "The leg wants to know us first. Let it trust our address."
}

reply {
    code = "400-599"
    enhanced = "*.7.25"
    class = "configuration"
    help = "Our address has no PTR record, or its name does not lead back to it. Let the owner of the network add one."
}

# ---- one message, one sender, one recipient: codes

reply {
    code = "500-599"
    enhanced = "5.6.*"
    class = "message"
    help = "The leg refuses this message. Look at the text of its reply."
}

reply {
    code = "500-599"
    enhanced = "5.2.3"
    class = "message"
    help = "The message is larger than the leg takes. Let its limit grow, or lower limits.message here."
}

reply {
    code = "500-599"
    enhanced = "5.3.4"
    class = "message"
    help = "The message is larger than the leg takes. Let its limit grow, or lower limits.message here."
}

reply {
    code = "500-599"
    enhanced = "5.7.124"
    class = "message"
    help = "The mailbox does not take mail of this sender. Its owner has to allow it."
}

reply {
    code = "500-599"
    enhanced = "5.7.133-136"
    class = "message"
    help = "The mailbox does not take mail of this sender. Its owner has to allow it."
}

reply {
    code = "500-599"
    enhanced = "5.7.13"
    text = { "disabled" }
    class = "recipient"
    help = "The account is disabled. Enable it, or correct the route."
}

reply {
    code = "500-599"
    enhanced = "5.7.12-13"
    class = "message"
    help = "The mailbox does not take mail of this sender. Its owner has to allow it."
}

# ---- one sender: phrases

reply {
    code = "500-599"
    text = { "sender address rejected", "sender rejected", "sender denied",
        "sender ... blocked", "sender ... not allowed ... mailbox",
        "sender verify failed", "sender verification", "domain of sender",
        "sender's domain", "bad sender address", "invalid sender",
        "sender invalid", "unknown sender", "badmailfrom", "blocked sender*",
        "envelope blocked", "envelope sender ... badmailfrom", "header-based",
        "sender not authenticated", "sender was not authenticated",
        "sender ... not in allowed-senders",
        "sending ... domain ... not exist", "mail from domain ... exist",
        "mail sending denied", "purported responsible address",
        "sender listed", "sender ... blacklisted", "user in blacklist",
        "from address ... reject*", "from header", "from field",
        "you are not allowed to send ... this address",
        "not allowed to send ... as", "null sender", "empty envelope sender*",
        "emetteur invalide", "not owned by", "address ... been blacklisted",
        "your email address", "by the recipient", "by recipient",
        "sender is in", "sender is not permitted", "sender unspecified",
        "unroutable sender", "unrouteable sender", "mailfrom domain",
        "backscatter", "batv", "returned mail not accepted",
        "does not accept mail from", "not accept ... sender",
        "sender domain ... not allowed", "sender domain ... listed",
        "to send to this group", "not authorized for this list",
        "sender not authorized", "sender ... not authorized" }
    class = "message"
    help = "The leg does not take mail of this sender. Look at the text of its reply."
}

# ---- no such recipient: phrases

reply {
    code = "500-599"
    text = { "user unknown", "unknown user", "no such user",
        "no such recipient", "no such mailbox", "no such account",
        "no such address", "no such person", "no such local user",
        "no user ... here", "unknown recipient", "recipient unknown",
        "recipient ... not found", "recipient not known",
        "unknown local part", "unknown local-part", "unknown address",
        "unknown mailbox", "unknown account", "unknown or illegal",
        "user not found", "user ... not found", "user does not exist",
        "user doesn't exist", "user not exist", "user ... not exist",
        "account does not exist", "account doesn't exist",
        "account ... does not exist", "mailbox does not exist",
        "mailbox doesn't exist", "mailbox ... not exist", "mailbox not found",
        "mailbox ... not found", "mailbox not available here",
        "address does not exist", "address doesn't exist",
        "recipient does not exist", "recipient ... does not exist",
        "doesn't have a ... account", "does not have an account",
        "no mailbox here", "no mailbox by that name",
        "no account by that name", "not a valid mailbox", "not a valid user",
        "not a valid recipient", "isn't a valid recipient", "not our user",
        "not a known user", "is no longer valid", "no longer on server",
        "no longer available", "no longer exists", "invalid recipient",
        "invalid mailbox", "invalid user", "recipient invalid",
        "recipient is invalid", "recipient not recognized",
        "recipient not local", "user not local", "user unknown*",
        "user ... not here", "not here", "addressee unknown",
        "no longer accepts mail", "account not available", "not registered",
        "no user by that name", "is unknown to us", "host unknown",
        "no such domain", "domain does not exist", "domain doesn't exist",
        "domain must exist", "domain unknown", "unknown domain",
        "unknown host", "unrouteable mail domain", "has moved",
        "been replaced by", "address rejected user", "undeliverable address",
        "illegal alias", "address unknown", "user invalid",
        "recipient cannot be found", "user cannot be found",
        "mailbox cannot be found", "address rejected undeliverable",
        "utilisateur inconnu", "adresse inconnue", "benutzer unbekannt",
        "mailbox name not allowed", "unrouteable address",
        "unroutable address", "cannot find ... user",
        "bad destination mailbox", "empfänger unbekannt",
        "destinataire inconnu", "destinataire invalide", "usuario desconocido"
    }
    class = "recipient"
    help = "The leg does not know the recipient. Create the mailbox there, or correct the route or the leg's address of its row."
}

reply {
    code = "400-499"
    text = { "user unknown", "unknown user", "no such user",
        "no such recipient", "no such mailbox", "no such account",
        "no such address", "no such person", "no such local user",
        "no user ... here", "unknown recipient", "recipient unknown",
        "recipient ... not found", "recipient not known",
        "unknown local part", "unknown local-part", "unknown address",
        "unknown mailbox", "unknown account", "unknown or illegal",
        "user not found", "user ... not found", "user does not exist",
        "user doesn't exist", "user not exist", "user ... not exist",
        "account does not exist", "account doesn't exist",
        "account ... does not exist", "mailbox does not exist",
        "mailbox doesn't exist", "mailbox ... not exist", "mailbox not found",
        "mailbox ... not found", "mailbox not available here",
        "address does not exist", "address doesn't exist",
        "recipient does not exist", "recipient ... does not exist",
        "doesn't have a ... account", "does not have an account",
        "no mailbox here", "no mailbox by that name",
        "no account by that name", "not a valid mailbox", "not a valid user",
        "not a valid recipient", "isn't a valid recipient", "not our user",
        "not a known user", "is no longer valid", "no longer on server",
        "no longer available", "no longer exists", "invalid recipient",
        "invalid mailbox", "invalid user", "recipient invalid",
        "recipient is invalid", "recipient not recognized",
        "recipient not local", "user not local", "user unknown*",
        "user ... not here", "not here", "addressee unknown",
        "no longer accepts mail", "account not available", "not registered",
        "no user by that name", "is unknown to us", "host unknown",
        "no such domain", "domain does not exist", "domain doesn't exist",
        "domain must exist", "domain unknown", "unknown domain",
        "unknown host", "unrouteable mail domain", "has moved",
        "been replaced by", "address rejected user", "undeliverable address",
        "illegal alias", "address unknown", "user invalid",
        "recipient cannot be found", "user cannot be found",
        "mailbox cannot be found", "address rejected undeliverable",
        "utilisateur inconnu", "adresse inconnue", "benutzer unbekannt",
        "mailbox name not allowed", "unrouteable address",
        "unroutable address", "cannot find ... user",
        "bad destination mailbox", "empfänger unbekannt",
        "destinataire inconnu", "destinataire invalide", "usuario desconocido"
    }
    class = "recipient"
    outcome = "deferred"
    help = "The leg does not know the recipient. Create the mailbox there, or correct the route or the leg's address of its row."
}

reply {
    code = "500-599"
    text = { "account ... disabled", "mailbox ... disabled",
        "user ... disabled", "address ... disabled", "recipient ... disabled",
        "disabled recipient", "account disabled", "mailbox disabled",
        "account ... inactive", "account is inactive",
        "inactive email address", "inactive user", "mailbox is inactive",
        "user ... inactive", "mailbox ... locked", "user ... locked",
        "account ... locked", "account ... suspended", "user ... suspended",
        "mailbox ... suspended", "account ... deactivated",
        "account ... expired", "account ... closed", "mailbox ... closed",
        "discontinued", "recipient ... on hold",
        "recipient address rejected on hold", "mailbox cannot be accessed",
        "mailbox ... frozen", "recipient preferences", "badrcptto" }
    class = "recipient"
    help = "The mailbox is disabled. Enable it, or correct the route."
}

# ---- what is in the message: phrases

reply {
    code = "500-599"
    text = { "content rejected", "content filter", "message content",
        "its content", "because ... content", "virus", "malware", "phishing",
        "spam detected", "is spam", "as spam", "considered spam",
        "consider spam", "looks like spam", "like spam", "spam score",
        "scored ... spam", "flagged ... spam", "identified as spam",
        "spam message", "spam content", "likely unsolicited mail",
        "likely suspicious ... content", "attachment", "illegal attachment",
        "uribl", "surbl", "url* ... list*", "url* ... block*",
        "link* ... blocked", "contains ... url*", "file type*", "size limit",
        "length exceed*", "line limit exceeded", "line too long",
        "lines too long", "headers too large", "header error",
        "header ... too long", "message header*", "duplicate header*",
        "invalid header*", "bad header*", "malformed", "8-bit data",
        "bare lf", "bare line feed*", "bare newline*",
        "missing ... message-id", "valid message-id", "message-id header",
        "rfc compliant", "improper use of", "protocol violation",
        "cannot be delivered to yourself",
        "user complaints about this message", "virus detected", "media error"
    }
    class = "message"
    help = "The leg refuses what is in this message. Look at the text of its reply."
}

# ---- a rate: strong words

reply {
    code = "421"
    class = "throttle"
    help = "The leg ends the connection because it is busy. It is asked with fewer connections."
}

reply {
    code = "400-599"
    text = { "too many connections", "too many concurrent",
        "too many sessions", "too many smtp sessions",
        "too many simultaneous", "too many messages", "too many emails",
        "too many mails", "too many errors", "too many requests",
        "too much mail from", "rate limit*", "rate-limit*", "ratelimit*",
        "rate ... exceeded", "rate exceeded", "exceed* ... rate",
        "frequency limit*", "sending rate", "connection limit",
        "connection rate", "concurrency limit", "throttl*", "thread limit",
        "slow down", "slower", "trop de connexions", "exceed* ... per hour",
        "exceed* ... per day", "exceed* ... maximum number of messages",
        "outbound thread" }
    class = "throttle"
    help = "The leg counts what we send. It is asked with fewer connections; if this lasts, ask its operator for our limits."
}

# ---- us: our address, our name, a block list

reply {
    code = "500-599"
    text = { "client host ... blocked", "client host rejected",
        "client host ... rejected", "host rejected", "blocked using",
        "blocked by ... dnsbl", "blocked by ... rbl", "blocked by ... list",
        "block list", "block lists", "blocklist*", "blacklist*",
        "black list*", "block-list*", "black-list*", "denylist*",
        "your access", "black ip", "invalid ip", "remote ip", "ip check",
        "helohost*", "server you are sending from", "host ... listed",
        "blocked ip", "ip ... blocked", "ip ... listed", "ip ... banned",
        "ip ... denied", "ip ... rejected", "ip ... blacklisted",
        "ip ... not allowed", "ip address ... blocked", "your ip", "your ip*",
        "your host", "your server", "your mail server", "your mailserver",
        "your mta", "sending host", "reverse name",
        "internet service provider", "service provider", "allowed to connect",
        "not allowed to connect", "zombie*", "bad ip profile",
        "no ip address found", "too many spams", "unresolvable relay host",
        "reputation", "forward dns", "ptr record*", "ptr-record*",
        "generic dns", "dynamic host*", "your network", "their network",
        "client ip", "client address", "sending ip", "sending ips",
        "sending mta", "sending server", "source ip", "connecting ip",
        "connecting host", "ip not in whitelist", "ip name lookup",
        "ip reputation", "dnsbl", "dnsbl*", "rbl", "rbls", "dnsrbl",
        "spamhaus", "spamhaus's", "spamcop", "sorbs", "barracuda*",
        "senderbase", "reverse dns", "reverse-dns", "rdns", "ptr",
        "reverse lookup", "reverse hostname", "cannot find your hostname",
        "cannot find your reverse", "no dns entry for", "forward-confirmed",
        "not a mail exchanger", "may not be mail exchanger",
        "not accepting connections", "connections ... not ... accepted",
        "connection refused", "connection rejected", "connection denied",
        "connection not authorized", "service refuse*",
        "access from ... denied", "no access from",
        "server access ... forbidden", "helo command rejected",
        "helo ... rejected", "helo ... invalid", "ehlo ... invalid",
        "helo/ehlo", "helo name", "ehlo name", "invalid helo", "bad helo",
        "helo argument", "helo ... requires", "ehlo required", "dynamic ip*",
        "dynamic address*", "dial-up", "dialup", "residential ip",
        "open relay", "open proxy", "host network", "mail from your",
        "messages from your", "email from your", "banned sending",
        "too many ... complaints", "spam abuse ... ip",
        "traffic not accepted", "permanently deferred",
        "hostname ... not authorized" }
    class = "configuration"
    help = "The leg refuses our address or name. Let its operator allow our address; a block list has a page for removal; address, PTR record and EHLO name have to agree."
}

reply {
    code = "400-499"
    text = { "greylist*", "graylist*", "grey-list*", "gray-list*",
        "greylisted*" }
    class = "network"
    help = "The leg lets a new sender wait (greylisting). It is tried again by itself."
}

reply {
    code = "400-499"
    text = { "client host ... blocked", "client host rejected",
        "client host ... rejected", "host rejected", "blocked using",
        "blocked by ... dnsbl", "blocked by ... rbl", "blocked by ... list",
        "block list", "block lists", "blocklist*", "blacklist*",
        "black list*", "block-list*", "black-list*", "denylist*",
        "your access", "black ip", "invalid ip", "remote ip", "ip check",
        "helohost*", "server you are sending from", "host ... listed",
        "blocked ip", "ip ... blocked", "ip ... listed", "ip ... banned",
        "ip ... denied", "ip ... rejected", "ip ... blacklisted",
        "ip ... not allowed", "ip address ... blocked", "your ip", "your ip*",
        "your host", "your server", "your mail server", "your mailserver",
        "your mta", "sending host", "reverse name",
        "internet service provider", "service provider", "allowed to connect",
        "not allowed to connect", "zombie*", "bad ip profile",
        "no ip address found", "too many spams", "unresolvable relay host",
        "reputation", "forward dns", "ptr record*", "ptr-record*",
        "generic dns", "dynamic host*", "your network", "their network",
        "client ip", "client address", "sending ip", "sending ips",
        "sending mta", "sending server", "source ip", "connecting ip",
        "connecting host", "ip not in whitelist", "ip name lookup",
        "ip reputation", "dnsbl", "dnsbl*", "rbl", "rbls", "dnsrbl",
        "spamhaus", "spamhaus's", "spamcop", "sorbs", "barracuda*",
        "senderbase", "reverse dns", "reverse-dns", "rdns", "ptr",
        "reverse lookup", "reverse hostname", "cannot find your hostname",
        "cannot find your reverse", "no dns entry for", "forward-confirmed",
        "not a mail exchanger", "may not be mail exchanger",
        "not accepting connections", "connections ... not ... accepted",
        "connection refused", "connection rejected", "connection denied",
        "connection not authorized", "service refuse*",
        "access from ... denied", "no access from",
        "server access ... forbidden", "helo command rejected",
        "helo ... rejected", "helo ... invalid", "ehlo ... invalid",
        "helo/ehlo", "helo name", "ehlo name", "invalid helo", "bad helo",
        "helo argument", "helo ... requires", "ehlo required", "dynamic ip*",
        "dynamic address*", "dial-up", "dialup", "residential ip",
        "open relay", "open proxy", "host network", "mail from your",
        "messages from your", "email from your", "banned sending",
        "too many ... complaints", "spam abuse ... ip",
        "traffic not accepted", "permanently deferred",
        "hostname ... not authorized" }
    class = "configuration"
    help = "The leg refuses our address or name. Let its operator allow our address; a block list has a page for removal; address, PTR record and EHLO name have to agree."
}

# ---- us: TLS and login

reply {
    code = "400-599"
    text = { "issue a starttls", "issue starttls", "starttls first",
        "starttls ... required", "starttls is required", "starttls required",
        "require* ... starttls", "require* tls", "require* ... tls",
        "tls required", "tls is required", "tls ... required", "use tls*",
        "use of tls", "without tls", "not ... encrypted", "tls connection",
        "tls encryption", "tls ... mandatory", "encryption required",
        "encryption is required", "encryption needed",
        "require* ... encryption", "require* ... ciphers",
        "secure connection", "must be encrypted", "authentication required",
        "authentication is required", "requires authentication",
        "require* ... authentication", "authentication failed",
        "authentication failure", "authentication needed",
        "authentication data", "authentication credentials", "smtp auth*",
        "must authenticate", "authenticate first", "need to authenticate",
        "not authenticated", "not logged in", "please log in", "log in first",
        "log in with", "log in through", "login required", "login attempts",
        "failed to authenticate", "unauthenticated sender*",
        "unauthenticated senders not", "unauthenticated client*",
        "unauthenticated commands", "client ... not authenticated",
        "anonymous mail", "username and password", "user name and password",
        "credentials", "password required", "turned on in your",
        "turn on smtp authentication", "not authorized to send mail",
        "don't authenticate", "not subscribed", "not authorized to perform",
        "requires smtp auth*", "session encryption", "auth error",
        "remote certificate", "certificate ... fail*",
        "certificate ... expired", "certificate ... invalid", "mta-sts",
        "exchange server authentication", "unregistered domains",
        "pop before smtp", "pop-before-smtp", "encrypted connection*" }
    class = "configuration"
    help = "The leg wants TLS or a login first. Write tls = \"encrypt\", or auth_user and auth_secret, for this leg, or let it trust our address."
}

# ---- us: relaying

reply {
    code = "400-599"
    text = { "relay access denied", "relay denied", "relay not permitted",
        "relay not allowed", "relay ... denied", "relay ... not permitted",
        "relay ... not allowed", "relay ... prohibited",
        "relay ... forbidden", "relay ... rejected", "relaying denied",
        "relaying not", "relaying ... denied", "relaying ... not",
        "relaying prohibited", "relaying forbidden", "relaying is",
        "relaying mail ... not", "no relay*", "not relay*", "unable to relay",
        "cannot relay", "can not relay", "refuse* to relay",
        "not ... to relay", "not ... relay for", "do not relay",
        "does not relay", "don't relay", "allowed to relay",
        "rejecting relay", "insecure mail relay", "for relay",
        "not a gateway", "as a relay", "specified domain is not allowed",
        "non-accepted domain", "denies relay", "relay check",
        "local user only", "local users only", "no mail relay",
        "permission* to send as", "through this host", "through this machine",
        "through this server", "relay quota", "relay service", "rcpthosts",
        "administrative prohibition", "administratively prohibited",
        "email address is not verified",
        "not authorized to send email directly", "domain not hosted",
        "domain is not hosted", "we don't handle mail for",
        "domain not local", "domain isn't allowed", "not a local domain",
        "not accept mail for this domain", "not accept mail for that domain" }
    class = "configuration"
    help = "The leg does not take mail for this domain from us. Let it relay for our address, or let it have the domain."
}

# ---- a rate

reply {
    code = "400-599"
    text = { "rate of mail", "unusual rate", "high rate",
        "limit ... exceeded", "limits exceeded", "limit reached",
        "exceed* ... limit*", "exceed* ... threshold", "reached ... limit",
        "daily limit", "hourly limit", "daily ... quota", "daily quota",
        "sending quota", "submission quota", "sending too fast", "too fast",
        "too often", "too frequent*", "too many invalid", "too many unknown",
        "too many bad", "per connection", "per hour", "per minute", "per day",
        "unexpected volume", "message limit", "at maximum", "max* ... reached"
    }
    class = "throttle"
    help = "Too much comes from us at once. The leg is asked with fewer connections; if this lasts, ask its operator for our limits."
}

# ---- the leg has trouble of its own

reply {
    code = "400-599"
    enhanced = "*.2.0"
    text = { "temporar*", "later", "busy" }
    class = "mailbox"
    help = "The mailbox cannot be reached for now. It is tried again by itself."
}

reply {
    code = "500-599"
    enhanced = "5.3.1"
    text = { "message ... large", "message size" }
    class = "message"
    help = "The leg refuses this message. Look at the text of its reply."
}

reply {
    code = "500-599"
    enhanced = "5.3.*"
    class = "network"
    help = "The leg has trouble of its own. It is tried again by itself; if this lasts, look at its load, its disk and its log."
}

reply {
    code = "500-599"
    enhanced = "5.2.4"
    class = "network"
    help = "The leg has trouble of its own. It is tried again by itself; if this lasts, look at its load, its disk and its log."
}

reply {
    code = "500-599"
    enhanced = "5.1.4"
    text = { "ambiguous" }
    class = "network"
    help = "The leg has trouble of its own. It is tried again by itself; if this lasts, look at its load, its disk and its log."
}

reply {
    code = "400-599"
    text = { "temporarily unavailable", "temporarily rejected",
        "temporarily not", "temporary failure", "temporary error",
        "temporary problem", "temporary system", "temporary server",
        "temporary local", "temporary lookup", "temporary dns",
        "try again later", "try later", "please retry", "later please",
        "service ... unavailable", "service not", "service unavailable",
        "service currently unavailable", "currently unavailable",
        "server busy", "server is busy", "system busy", "is busy",
        "busy ... try", "too busy", "host does not accept mail",
        "domain does not accept mail", "not accepting mail",
        "not accepting messages", "not accepting network messages",
        "internal error", "internal system error", "internal server error",
        "system error", "system problem", "server error",
        "operating system error", "local error", "local problem",
        "local configuration error", "mailer error", "queue unavailable",
        "system full", "mail system problem", "backend", "software error",
        "unexpected error", "database error", "lookup error",
        "lookup failure", "timed out", "timeout", "time out", "time-out",
        "resources", "out of memory", "insufficient permission",
        "insufficient disk", "disk full", "no space", "i/o error",
        "message expired", "past the expiration", "unable to process",
        "cannot process", "unable to deliver ... minutes",
        "connection timed out", "connection lost", "exit status",
        "exited with", "transport unavailable", "no route to host",
        "unreachable", "could not connect", "unable to resolve",
        "no mail exchangers", "local error in", "error in processing",
        "error in reception", "interrupted system call", "retry timeout",
        "delivery expired", "queue file", "system is down", "setup failed",
        "inbounds", "mail server ... down", "under maintenance",
        "maintenance", "overloaded", "load too high" }
    class = "network"
    help = "The leg has trouble of its own. It is tried again by itself; if this lasts, look at its load, its disk and its log."
}

reply {
    code = "550-554"
    text = { "quota" }
    class = "mailbox"
    help = "The mailbox is full. Its owner has to make room, or its quota has to grow."
}

# ---- weaker words of a user; but when our address is named it is about us

reply {
    code = "505-599"
    text = { "[ip]" }
    class = "configuration"
    help = "The leg refuses us or our connection in words that no row knows. Look at the text of its reply; a row of your own in a profile says what it means."
}

reply {
    code = "500-599"
    enhanced = "5.4.1"
    text = { "relay*", "not ... local", "not ... tenant" }
    class = "configuration"
    help = "The leg does not take mail for this domain from us. Let it relay for our address, or let it have the domain."
}

reply {
    code = "500-599"
    enhanced = "5.4.1"
    class = "recipient"
    help = "The leg does not know the recipient, or not the domain. Create the mailbox there, or correct the route or the leg's address of its row."
}

reply {
    code = "500-599"
    enhanced = "5.4.4"
    text = { "invalid domain" }
    class = "recipient"
    help = "The leg does not know the recipient. Create the mailbox there, or correct the route or the leg's address of its row."
}

reply {
    code = "500-599"
    enhanced = "5.4.*"
    class = "network"
    help = "The leg has trouble of its own. It is tried again by itself; if this lasts, look at its load, its disk and its log."
}

reply {
    code = "500-599"
    enhanced = "5.1.0"
    text = { "address rejected" }
    class = "recipient"
    help = "The leg does not know the recipient. Create the mailbox there, or correct the route or the leg's address of its row."
}

reply {
    code = "500-599"
    enhanced = "5.1.2-6"
    class = "recipient"
    help = "The leg does not know the recipient. Create the mailbox there, or correct the route or the leg's address of its row."
}

reply {
    code = "500-599"
    enhanced = "5.1.351"
    class = "recipient"
    help = "The leg does not know the recipient. Create the mailbox there, or correct the route or the leg's address of its row."
}

reply {
    code = "500-599"
    enhanced = "5.2.1"
    class = "recipient"
    help = "The leg does not know the recipient. Create the mailbox there, or correct the route or the leg's address of its row."
}

reply {
    code = "500-599"
    text = { "mailbox unavailable", "mailbox not available",
        "recipient address rejected access denied", "recipient rejected",
        "recipient refused", "recipient not accepted",
        "recipient ... no longer", "this user", "this mailbox",
        "this account", "user reject", "mailbox ... unavailable",
        "not a mailbox", "delivery error" }
    class = "recipient"
    help = "The leg does not know the recipient. Create the mailbox there, or correct the route or the leg's address of its row."
}

# ---- the basic code

reply {
    code = "502"
    text = { "not implemented", "not supported", "unimplemented" }
    class = "configuration"
    help = "The leg does not know a command that every mail server knows. It may be none, or something between us changes what is said."
}

reply {
    code = "502-503"
    class = "network"
    help = "The leg lost the thread of the dialog. It is tried again on a new connection; if this lasts, look at its log."
}

reply {
    code = "500-599"
    text = { "hello first", "helo first", "ehlo first", "mail first",
        "rcpt first", "bad sequence", "out of sequence", "need rcpt",
        "need mail" }
    class = "network"
    help = "The leg did not expect this command. It is tried again on a new connection; if this lasts, look at its log."
}

reply {
    code = "550"
    enhanced = "5.5.1"
    class = "network"
    help = "The leg did not expect this command. It is tried again on a new connection; if this lasts, look at its log."
}

reply {
    code = "521"
    class = "network"
    help = "The leg says that it takes no mail (RFC 7504). Correct hosts of the leg."
}

reply {
    code = "550-551"
    enhanced = "none"
    stage = { "rcpt", "data" }
    text = { "does not exist", "not exist", "unknown" }
    class = "recipient"
    help = "The leg does not know the recipient. Create the mailbox there, or correct the route or the leg's address of its row."
}

reply {
    code = "553"
    stage = { "rcpt", "data" }
    text = { "does not exist", "invalid address", "unknown" }
    class = "recipient"
    help = "The leg does not know the recipient. Create the mailbox there, or correct the route or the leg's address of its row."
}

reply {
    code = "501"
    stage = { "rcpt", "data" }
    text = { "invalid address" }
    class = "recipient"
    help = "The leg does not know the recipient. Create the mailbox there, or correct the route or the leg's address of its row."
}

# ---- words of us, of the connection or of a rate that no row above knows

reply {
    code = "505-599"
    enhanced = "none"
    text = { "access denied" }
    class = "configuration"
    help = "The leg refuses us or our connection in words that no row knows. Look at the text of its reply; a row of your own in a profile says what it means."
}

reply {
    code = "505-599"
    text = { "ip address", "ip addresses", "starttls", "tls", "ssl",
        "ciphers", "helo", "ehlo", "relaying", "your hostname",
        "your domain name server*", "dns record*", "no dns", "dns ... fail*",
        "your connection", "this connection", "connection* from",
        "your login", "login fail*", "invalid login", "your rate", "the rate"
    }
    class = "configuration"
    help = "The leg refuses us or our connection in words that no row knows. Look at the text of its reply; a row of your own in a profile says what it means."
}

# ---- all the rest

reply {
    code = "400-499"
    class = "none"
    help = "The leg asks for time and does not say why. Look at the text of its reply."
}

reply {
    code = "500-599"
    class = "message"
    help = "The leg refuses this message. Look at the text of its reply."
}
