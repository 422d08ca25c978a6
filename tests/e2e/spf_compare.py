#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Random records judged by posthouse-spf and by Debian's python3-spf. Where
they differ, rules of RFC 7208 that python3-spf does not keep are added to it,
one by one: the difference is explained when it is gone with some of them, and
only then.

    tests/e2e/spf_compare.py BUILD/posthouse-spf [--count N] [--seed N]
"""
import argparse
import collections
import contextlib
import itertools
import re
import sys

import spf as pyspf

import spf_process
import spf_random

# Rule -> (section of RFC 7208, what python3-spf does instead). It is python3-spf
# that deviates in each; but 4.6.4 leaves open which of the client's own names
# are looked up, and so whether they can be void.
RULES = {
    "join": ("7.3", "joins the parts of a macro by the characters that split "
             "them, not by dots"),
    "macro": ("7.1", "takes macros that the grammar has not, and refuses a %% "
              "at the end"),
    "reverse": ("7.1, RFC 5234 2.3", "takes no capital R for r"),
    "modifier": ("6, 12, RFC 5234 2.3", "takes no capital letters in redirect= "
                 "and exp=, and no unknown modifier twice"),
    "lazy": ("4.6.2, 4.6.4", "looks up what a macro needs when the term is not "
             "reached, also in an unknown modifier; all hosts of an mx when "
             "the first one matches; and lets no domain include itself, even "
             "behind a term that matches"),
    "ptr": ("5.5, 7.2", "an error of the DNS in ptr is a temperror; asks for "
            "names that would not do, and counts them as void; %{p} is kept "
            "when the domain changes"),
    "once": ("4.6.4", "counts a name without an answer each time it is used, "
             "not each that is asked"),
    "exp": ("6.2", "looks up an explanation, and counts what is void in it, "
            "before there is a fail"),
    "cut": ("7.3", "cuts an explanation as if it were a name"),
}

MACRO = r"%%%%|%%_|%%-|%%\{[%s](?!0+[^0-9])[0-9]{0,3}r?[-.+,/_=]*\}"
DOMAINMATCH = pyspf.domainmatch


class Lazy:
    """A domain-spec that is expanded when it is used."""

    def __init__(self, query, arg):
        self.query, self.arg, self.value = query, arg, None

    def __str__(self):
        if self.value is None:
            self.value = pyspf.query.expand(self.query, self.arg)
        return self.value

    def __eq__(self, other):
        return False        # of "include has trivial recursion"

    __hash__ = None

    def lower(self):
        return str(self).lower()


class Explanation:
    """A text that is looked up when the check has failed."""

    def __init__(self, query, spec):
        self.query, self.spec, self.domain = query, spec, query.d

    def __str__(self):
        q = self.query
        q.d, q.void_lookups = self.domain, -1000
        try:
            return pyspf.query.get_explanation(q, str(self.spec)) or ""
        except (pyspf.PermError, pyspf.TempError):
            return ""


class Query(pyspf.query):
    """python3-spf, with the rules in `rules` kept."""

    rules = asked = frozenset()

    # -- records

    def check0(self, spf, recursion):
        spf = spf or ""
        terms = spf.split(" ")
        if "modifier" in self.rules:
            terms[1:] = [plain_modifier(t, i)
                         for i, t in enumerate(terms[1:])]
        if "lazy" in self.rules:
            terms[1:] = [t for t in terms[1:] if not self.unused(t)]
        return super().check0(" ".join(terms), recursion)

    # -- names

    def expand(self, text, stripdot=True):
        if "macro" in self.rules:
            letters = "slodipvh" + ("" if stripdot else "crt")
            if "%" in re.sub(MACRO % letters, "", text, flags=re.I):
                raise pyspf.PermError("macro")
        if "cut" in self.rules and not stripdot:
            return " ".join(super(Query, self).expand(word, False)
                            for word in text.split(" "))
        return super().expand(text, stripdot)

    def unused(self, term):
        """Is it an unknown modifier? Its syntax is looked at."""
        m = pyspf.RE_MODIFIER.match(term)
        if not m or m.group(1).lower() in ("redirect", "exp"):
            return False
        kept, self.p = self.p, self.p or "unknown"
        try:
            self.expand(term[m.end():])
        finally:
            self.p = kept
        return True

    def expand_domain(self, arg):
        if "lazy" not in self.rules:
            return super().expand_domain(arg)
        kept, self.p = self.p, self.p or "unknown"
        try:
            super().expand_domain(arg)
        finally:
            self.p = kept
        return Lazy(self, arg)

    def dns(self, name, qtype, cnames=None, ignore_void=False):
        key = str(name).lower(), qtype
        again = "once" in self.rules and key in self.asked
        self.asked = self.asked | {key}
        return super().dns(str(name), qtype, cnames, ignore_void or again)

    def dns_spf(self, domain):
        return super().dns_spf(str(domain))

    def check1(self, spf, domain, recursion):
        # %{p} is of the domain, so it is looked for anew.
        kept, self.p = self.p, None if "ptr" in self.rules else self.p
        try:
            return super().check1(spf, str(domain), recursion)
        finally:
            self.p = kept

    def get_explanation(self, spec):
        return Explanation(self, spec) if "exp" in self.rules else \
            super().get_explanation(spec)

    # -- addresses

    def dns_mx(self, domainname):
        if "lazy" not in self.rules:
            return super().dns_mx(domainname)
        hosts = self.dns(domainname, "MX")
        if len(hosts) > 10:
            raise pyspf.PermError("hosts of an mx")
        return (a for _, host in hosts for a in self.dns_a(host, self.A))

    def cidrmatch(self, ipaddrs, n):
        return any(super(Query, self).cidrmatch([a], n) for a in ipaddrs)

    def own_names(self, wanted):
        """RFC 7208 5.5, of the names that `wanted` takes when their turn
        comes."""
        try:
            names = self.dns_ptr(self.i)[:10]
        except pyspf.TempError:
            return
        for name in names:
            if not wanted(name.lower()):
                continue
            try:
                if self.cidrmatch(self.dns_a(name, self.A), self.cidrmax):
                    yield name
            except pyspf.TempError:
                pass

    def validated_ptrs(self):
        return self if "ptr" in self.rules else super().validated_ptrs()

    def getp(self):
        if "ptr" in self.rules and not self.p:
            best = [3, "unknown"]
            for name in self.own_names(lambda n: self.rank(n) < best[0]):
                best = [self.rank(name.lower()), name]
            self.p = best[1]
        return super().getp()

    def rank(self, name):
        return 0 if name == self.d.lower() else \
            1 if name.endswith("." + self.d.lower()) else 2


def ptr_matches(names, domain):
    """In the place of domainmatch(): looks up what may match, when it may."""
    domain = domain.lower()
    if isinstance(names, list):
        return DOMAINMATCH(names, domain)
    return any(names.own_names(
        lambda n: n == domain or n.endswith("." + domain)))


pyspf.domainmatch = ptr_matches


def plain_modifier(term, i):
    """Known names in lower case, unknown ones each its own."""
    m = pyspf.RE_MODIFIER.match(term)
    if not m:
        return term
    name = m.group(1).lower()
    return (name if name in ("redirect", "exp") else "x%d" % i) + \
        term[m.end(1):]


def look_up(zone):
    """The function that python3-spf asks."""
    def look(name, qtype, strict=True, timeout=30):
        number = spf_process.NUMBERS[qtype]
        status, rows = zone.answer(name.encode("latin-1"), number)
        if status == spf_process.FAILED:
            raise pyspf.TempError("no answer")
        return [((name, qtype), value(number, row, i))
                for i, row in enumerate(rows)]
    return look


def value(number, row, i):
    if number == spf_process.A:
        return ".".join(str(b) for b in row)
    if number == spf_process.AAAA:
        return row
    if number == spf_process.MX:
        return i, row.decode("latin-1")
    if number == spf_process.PTR:
        return row.decode("latin-1")
    return [row]


def theirs(case, rules=()):
    zone, client, helo, sender = case
    pyspf.DNSLookup = look_up(zone)
    q = Query(client, sender, helo, receiver="unknown")
    q.rules = frozenset(rules)
    q.set_default_explanation("")
    with patched(rules):
        result, _, text = q.check()
        return result, str(text) if result == "fail" else ""


@contextlib.contextmanager
def patched(rules):
    """Rules that are tables of python3-spf."""
    kept = pyspf.JOINERS, pyspf.RE_ARGS, pyspf.RE_INVALID_MACRO
    if "join" in rules:
        pyspf.JOINERS = dict.fromkeys("slodipvhcrt", ".")
    if "reverse" in rules:
        pyspf.RE_ARGS = re.compile(pyspf.RE_ARGS.pattern, re.IGNORECASE)
    if "macro" in rules:
        pyspf.RE_INVALID_MACRO = re.compile("(?!)")
    try:
        yield
    finally:
        pyspf.JOINERS, pyspf.RE_ARGS, pyspf.RE_INVALID_MACRO = kept


def explained(case, wanted):
    """The fewest rules with which python3-spf agrees, or None."""
    for n in range(1, len(RULES) + 1):
        for rules in itertools.combinations(RULES, n):
            if theirs(case, rules) == wanted:
                return rules
    return None


def ours(process, case):
    zone, client, helo, sender = case
    r = process.check(client, helo, sender, zone)
    return r["result"], r["explanation"]


def compare(program, seeds, say=print):
    """The differences that no rule explains, how often each rule was needed,
    and how often there was each result."""
    unexplained, needed = [], collections.Counter()
    results = collections.Counter()
    with spf_process.Process(program) as process:
        for seed in seeds:
            case = spf_random.Maker(seed).case()
            a, b = ours(process, case), theirs(case)
            results[a[0]] += 1
            if a == b:
                continue
            rules = explained(case, a)
            if rules is None:
                unexplained.append((seed, a, b))
                say("seed %d: ours %r, python3-spf %r" % (seed, a, b))
            needed["differences"] += 1
            needed.update(rules or ())
    return unexplained, needed, results


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    args.add_argument("program", help="posthouse-spf, of a build folder")
    args.add_argument("--count", type=int, default=10000)
    args.add_argument("--seed", type=int, default=1)
    o = args.parse_args()
    unexplained, needed, results = compare(
        o.program, range(o.seed, o.seed + o.count))
    print(", ".join("%s %d" % pair for pair in results.most_common()))
    print("%d differ, %d of them by no rule" % (needed.pop("differences", 0),
                                               len(unexplained)))
    for rule, (section, does) in RULES.items():
        print("%5d  %-9s RFC 7208 %s: python3-spf %s" %
              (needed[rule], rule, section, does))
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
