# SPDX-License-Identifier: ISC
"""A cloud platform that refuses for a fault of the set-up (D4): one forged
message must not stop the leg, a connector that really broke must, before
more than a handful of messages met it, and nothing is bounced for either."""
from rig import Figure, import_users, posthouse, say, send
from hostile import Hostile   # found by rig
from until import until

SENDERS = 50    # domains
FORGED = 500    # the id of that message, in the middle


def cloud(folder, messages):
    legs = Hostile(folder.parent, messages, 2)
    gw = posthouse(folder, *legs.ports, settings={
        'leg "cloud"': {"profile": "microsoft365", "probe_interval": "5s"},
        "retry": {"steps": ["500ms", "1s"]}})
    import_users(gw, "cloud")
    return gw, legs


def state(gw):
    return next(l for l in gw.cli_json("leg list") if l["leg"] == "cloud")


def suspensions(gw):
    """Each line is there at least once."""
    return len({e["pos"] for e in gw.events(event="leg", leg="cloud",
                                            state="suspended")})


def failed(gw):
    now = next(l for l in gw.cli_json("status")
               if l.get("leg") == "cloud")
    return now["bounced"] + now["parked"] + len(gw.events(event="dsn"))


def forged(folder, args):
    n = 1_001
    gw, legs = cloud(folder, n)
    try:
        legs.order(1, "forged")
        out = send(gw.port, n, sessions=20, senders=SENDERS, forged=FORGED)
        until(lambda: legs.count()[1]["distinct"] == n - 1,
              lambda: f"all but one at the cloud: {legs.count()}")
        # It is tried again, and asked about, and the leg stays up.
        until(lambda: legs.count()[1]["acts"] >= 5, "it to be tried again")
        now = state(gw)
        say(f"{out['failed']} failed at intake; {now}; {legs.count()[1]}")
        waits = gw.queue()
        seen, lost = suspensions(gw), failed(gw)
        gw.verify()
    finally:
        gw.stop()
        legs.stop()
    return [
        Figure("one forged message: suspensions of the leg", seen, "<= 0",
               note=f"state {now['state']}"),
        Figure("one forged message: the others delivered",
               now["delivered"], f">= {n - 1}", note=f"of {n - 1:,}"),
        Figure("one forged message: bounced or parked", lost, "<= 0",
               note=f"it waits: {waits[0]['reason'][:60]}")]


def broken(folder, args):
    n = 1_000
    gw, legs = cloud(folder, 2 * n)
    try:
        send(gw.port, n, sessions=20, senders=SENDERS)
        until(lambda: legs.count()[1]["distinct"] == n, "the good ones")
        legs.order(1, "connector")
        send(gw.port, n, first=n + 1, sessions=20, senders=SENDERS)
        gw.wait_event("leg", leg="cloud", state="suspended")
        until(lambda: state(gw)["in_flight"] == 0, "attempts to end")
        down = state(gw)
        say(f"{legs.count()[1]['acts']} refusals, then: {down}")
        legs.order(1, "honest")
        until(lambda: legs.count()[1]["distinct"] == 2 * n,
              lambda: f"it to come back: {state(gw)} {legs.count()}")
        until(lambda: state(gw)["open"] == 0, "nothing to be open")
        double, lost = legs.count()[1]["double"], failed(gw)
        up = state(gw)["state"]
        gw.verify()
        # Those of later trials too: it must not be more with them.
        met = {e["id"] for e in gw.events(event="deferred", leg="cloud",
                                          **{"class": "configuration"})}
    finally:
        gw.stop()
        legs.stop()
    return [
        Figure("broken connector: messages refused until it is suspended",
               len(met), "<= 20", note=f"{down['state']}: "
               f"{down['reason'][:60]}"),
        Figure("broken connector: bounced or parked", lost, "<= 0",
               note=f"of {n:,}"),
        Figure("broken connector: not delivered once it was mended", 0,
               "<= 0", note=f"{double} double; {up} by its own trial")]
