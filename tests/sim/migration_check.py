# SPDX-License-Identifier: ISC
"""The judge of tests/sim/migration. It reads what the daemon does not judge
itself by: the change history, the receivers' logs and the sender's log of
250s, and beside them the events of the deliveries, for the number of the
change that each bears.

Every recipient of a message that got 250
- is reported as delivered, by a change that named the leg and that was
  current: none newer was on record when the attempt before it ended;
- reached every leg that the route of that change names, but for one that a
  later change took back before it was delivered;
- reached no other leg, unless a replay brought it there;
- reached no leg twice, unless an event calls the delivery uncertain, and then
  the result of one alone is on record: that of the other was lost.
And of the recipients of a rollback, which has all of the run for its period,
what other legs got before it is replayed to the legs that they have then.
"""
import bisect
import collections

AFTER = ("delivered", "deferred", "bounced", "parked")
LOST = ("bounced", "parked", "deleted")


class History:
    """The route of each address at each change."""

    def __init__(self, changes):
        self.of = collections.defaultdict(list)
        self.time, self.rows = {}, {}
        self.rollbacks = []
        for change in sorted(changes, key=lambda c: c["change"]):
            self.add(change)

    def add(self, change):
        number = change["change"]
        self.time[number] = change["time"]
        self.rows[number] = change["kind"], set(change["routes"])
        for address, route in change["routes"].items():
            legs = tuple(route.split("+")) if route else ()
            self.of[address].append((number, legs))
        if change["kind"] == "rollback":
            self.rollbacks.append(number)

    def legs_at(self, address, change):
        rows = self.of.get(address, [])
        at = bisect.bisect(rows, (change, ("\x7f",)))
        if at:
            return rows[at - 1][1]
        domain = address[address.rindex("@"):]
        return self.legs_at(domain, change) if domain != address else ()

    def newer(self, address, change):
        """The changes of that address after this one."""
        rows = self.of.get(address, [])
        return [n for n, _ in rows[bisect.bisect(rows, (change, ("\x7f",))):]]


class Events:
    """Those of deliveries by message and recipient, in the journal's order;
    a line that came twice counts once."""

    def __init__(self, events):
        self.of = collections.defaultdict(list)
        self.noted = {}     # change -> its place in the journal
        seen = set()
        for e in events:
            key = (e["event"], e.get("id"), e.get("to"), e.get("leg"),
                   e["pos"])
            if key in seen:
                continue
            seen.add(key)
            place = tuple(map(int, e["pos"].split(":")))
            if e["event"] == "change":
                self.noted[e["change"]] = place
            elif e["event"] == "accepted":
                self.of[e["id"], None].append((place, e))
            elif "to" in e and "id" in e:
                self.of[e["id"], e["to"]].append((place, e))


class Judge:
    def __init__(self, changes, receipts, sent, events):
        self.history = History(changes)
        self.events = Events(events)
        self.got = collections.Counter()
        for r in receipts:
            for to in r["to"]:
                self.got[r["id"], to, r["leg"]] += 1
        self.sent = {(s["id"], to) for s in sent for to in s["to"]}
        self.faults = []
        self.uncertain = self.twice = self.replayed = self.superseded = 0

    def fault(self, word, key, text):
        self.faults.append(f"{word}: {key[0]} to {key[1]}: {text}")

    def judge(self):
        for key in sorted(self.sent):
            self.judge_sent(key)
        for key in sorted({(id, to) for id, to, _ in self.got}):
            self.judge_received(key)
        for change in self.history.rollbacks:
            self.judge_rollback(change)
        return self.faults

    def of(self, key, *kinds):
        return [e for _, e in self.events.of.get(key, ())
                if e["event"] in kinds]

    # -- what got 250 is there

    def judge_sent(self, key):
        done = self.of(key, "delivered")
        if not done:
            self.fault("lost", key, "no event says that it was delivered")
        for e in self.of(key, *LOST):
            self.fault("lost", key, f"{e['event']} at {e['leg']}")
        pinned = {e["leg"] for e in self.of(key, "replayed")}
        for leg in pinned:
            if not self.got[*key, leg]:
                self.fault("lost", key, f"replayed, and {leg} has it not")
        for e in done:
            if not self.got[*key, e["leg"]]:
                self.fault("lost", key, f"{e['leg']} has it not")
            elif e["leg"] not in pinned:
                self.judge_change(key, e)

    def judge_change(self, key, e):
        legs = self.history.legs_at(key[1], e["change"])
        if e["leg"] not in legs:
            self.fault("wrong leg", key, f"{e['leg']} by change "
                       f"{e['change']}, which names {'+'.join(legs)}")
        for leg in legs:
            if not self.got[*key, leg] and not self.taken_back(key, leg, e):
                self.fault("lost", key, f"change {e['change']} names {leg}, "
                           "which has it not")
        self.judge_age(key, e)

    def taken_back(self, key, leg, e):
        """A later change names it no more."""
        back = any(leg not in self.history.legs_at(key[1], n)
                   for n in self.history.newer(key[1], e["change"]))
        over = any(s["leg"] == leg for s in self.of(key, "superseded"))
        self.superseded += back and over
        return back and over

    def judge_age(self, key, e):
        """A change is current until the next one, whatever that is about.
        What the journal had of changes before the attempt began, the attempt
        must know."""
        began = self.begun(key, e)
        newer = [n for n, place in self.events.noted.items()
                 if n > e["change"] and began is not None and place < began]
        if newer:
            self.fault("old route", key, f"{e['leg']} by change "
                       f"{e['change']}, after change {max(newer)}")
        if self.history.time.get(e["change"], "") > e["time"]:
            self.fault("new route", key, f"change {e['change']} was not yet "
                       f"made at {e['time']}")

    def begun(self, key, e):
        """The place of what last happened before this event: the attempt
        began after it."""
        rows = self.events.of[key[0], None] + self.events.of[key]
        end = max(place for place, x in rows if x is e)
        return max((place for place, x in rows if place < end and
                    (x["event"] == "accepted" or x.get("leg") == e["leg"])),
                   default=None)

    # -- what is there has a reason

    def judge_received(self, key):
        doubt = {e["leg"] for _, e in self.events.of.get(key, ())
                 if e.get("uncertain") and "leg" in e}
        pinned = {e["leg"] for e in self.of(key, "replayed")}
        told = collections.Counter(e["leg"] for e in
                                   self.of(key, "delivered"))
        self.replayed += len(pinned)
        self.uncertain += len(doubt)
        for leg in self.legs_of(key):
            n = self.got[*key, leg]
            self.twice += n > 1
            if n > 1 and leg not in doubt:
                self.fault("twice", key, f"{leg} got it {n} times")
            if told[leg] > 1:
                self.fault("twice", key, f"{told[leg]} deliveries to {leg} "
                           "are on record")
            if leg not in {*told, *pinned, *doubt} and key in self.sent:
                self.fault("wrong leg", key, f"{leg} has it, and no event "
                           "says so")

    def legs_of(self, key):
        return [leg for leg in self.legs if self.got[*key, leg]]

    @property
    def legs(self):
        if not hasattr(self, "all_legs"):
            self.all_legs = sorted({leg for _, _, leg in self.got})
        return self.all_legs

    # -- what a rollback took back

    def judge_rollback(self, change):
        _, who = self.history.rows[change]
        for key in sorted(k for k in self.sent if k[1] in who):
            after = set(self.history.legs_at(key[1], change))
            place = self.events.noted[change]
            had = [e for p, e in self.events.of.get(key, ())
                   if e["event"] == "delivered" and p < place and
                   e["leg"] not in after]
            for leg in after:
                if had and not self.got[*key, leg]:
                    self.fault("not replayed", key, f"{had[0]['leg']} got it "
                               f"before change {change}, {leg} has it not")


def judge_pace(slices, per_hour, shut):
    """Slices of waves as [(moment, members)], moments as aware datetimes;
    `shut` says whether a moment is in a blackout. What is wrong."""
    faults, slices = [], sorted(slices)
    for i, (at, _) in enumerate(slices):
        if shut(at):
            faults.append(f"blackout: a slice at {at.isoformat()}")
        hour = sum(n for t, n in slices[:i + 1]
                   if (at - t).total_seconds() < 3600)
        if hour > per_hour:
            faults.append(f"per_hour: {hour} in the hour to {at.isoformat()}")
    return faults
