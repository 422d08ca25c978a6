# SPDX-License-Identifier: ISC
"""Expressions of --where against an evaluator of their own: random trees over
every column, on a random table, by the true program, as `route list` and a
flip read them."""
import csv
import random
import sqlite3

import pytest

EXPRESSIONS, ROWS, SEED = 200, 300, 11
DOMAINS = {"acme.example": "acme", "beta.example": "beta",
           "example.com": None}
TAGS = ["vip", "held", "and", "client=apple", "client=outlook", "dept=it",
        "dept=sales", "w1", "kind", "=odd"]
ROUTES = ["legacy", "cloud", "legacy+cloud", "cloud+legacy", "defer"]
WORDS = {"and", "or", "not", "in", "like", "address", "domain", "customer",
         "route", "leg", "tag", "mailbox", "held", "change", "wave"}


# ---- the table -----------------------------------------------------------

def make_rows(rng):
    for n in range(ROWS):
        domain = rng.choice(list(DOMAINS))
        yield {"address": f"u{n}@{domain}",
               "route": rng.choice(ROUTES),
               # Of one domain: a mailbox is of one customer.
               "mailbox": f"m{n % 40}.{domain}" if rng.random() < .3 else "",
               "tags": " ".join(rng.sample(TAGS, rng.randrange(4)))}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    from gateway import Gateway
    rng = random.Random(SEED)
    gw = Gateway(tmp_path_factory.mktemp("where"),
                 {"legacy": 1, "cloud": 2, "third": 3, "outside": 4})
    for domain, customer in DOMAINS.items():
        gw.settings[f'domain "{domain}"'] = {
            "route": "legacy", **({"customer": customer} if customer else {})}
    gw.write_conf()
    rows = list(make_rows(rng))
    with open(gw.folder / "rows.csv", "w", newline="") as out:
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    gw.cli("route", "import", str(gw.folder / "rows.csv"))
    for n in range(6):  # so that rows are of several changes
        some = rng.sample([r["address"] for r in rows], 30)
        gw.cli("hold" if n % 2 else "release", "--only-address", *some)
    for name in ("w1", "july.2"):
        gw.cli("wave", "create", name,
               *rng.sample([r["address"] for r in rows], 25))
    gw.rows = read_rows(gw.folder / "cutover.db")
    assert len(gw.rows) == ROWS
    return gw


def read_rows(path):
    db = sqlite3.connect(path)
    waves = {}
    for name, address in db.execute("SELECT w.name, m.address FROM member m "
                                    "JOIN wave w ON w.wave = m.wave"):
        waves.setdefault(address, []).append(name)
    rows = [{"address": a, "domain": a.partition("@")[2],
             "customer": DOMAINS[a.partition("@")[2]] or "", "route": r,
             "leg": r.split("+"), "held": bool(h), "mailbox": m,
             "tag": t.split(), "change": c, "wave": waves.get(a, [])}
            for a, r, h, m, t, c in db.execute(
                "SELECT address, route, held, mailbox, tags, change "
                "FROM route WHERE address NOT LIKE '@%'")]
    db.close()
    return rows


# ---- expressions: a text, and a function that says the same ---------------

def like(pattern, text):
    """Of % (any run) and _ (any one), case folded; the plain way."""
    pattern, text = pattern.lower(), text.lower()
    reach = {0}
    for c in text + "\0":
        for at in sorted(reach):
            while at < len(pattern) and pattern[at] == "%":
                at += 1
                reach.add(at)
        if c == "\0":
            return len(pattern) in reach
        reach = {at if pattern[at] == "%" else at + 1 for at in reach
                 if at < len(pattern) and
                 (pattern[at] in ("%", "_") or pattern[at] == c)}
    return False


def word(rng, value):
    plain = value and value.lower() not in WORDS and \
        not set(value) & set(" \t'\"()!<>,") and value[0] != "="
    return value if plain and rng.random() < .6 else \
        rng.choice("'\"").join(["", value, ""])


def some_value(rng, rows, column):
    values = rng.choice(rows)[column]
    if isinstance(values, list):
        values = rng.choice(values) if values else "none-such"
    return values or "none-such"


def some_wave(rng):
    return rng.choice(["w1", "july.2"])


def any_of(values, test):
    return any(test(v) for v in (values if isinstance(values, list)
                                 else [values]))


def text_test(rng, rows):
    column = rng.choice(["address", "domain", "customer", "route", "leg",
                         "tag", "mailbox", "wave"])
    value = (lambda: some_wave(rng)) if column == "wave" else \
        (lambda: some_value(rng, rows, column))
    kind = rng.choice(["=", "!=", "like", "in", "not in"])
    if kind in ("=", "!="):
        v = value()
        yes = lambda row: any_of(row[column], lambda x: x == v)
        text = f"{column} {kind} {word(rng, v)}"
    elif kind == "like":
        v = value()
        at = rng.randrange(len(v))
        v = rng.choice([v[:at] + "%", "%" + v[at:], v[:at] + "_" + v[at + 1:],
                        v[:at].upper() + "%" + v[at + 1:], v])
        yes = lambda row: any_of(row[column], lambda x: like(v, x))
        text = f"{column} like '{v}'"
    else:
        vs = [value() for _ in range(rng.randrange(1, 5))]
        yes = lambda row: any_of(row[column], lambda x: x in vs)
        text = f"{column} {kind} ({', '.join(word(rng, v) for v in vs)})"
    negated = kind in ("!=", "not in")
    return text, (lambda row: yes(row) != negated)


def change_test(rng, rows):
    n = some_value(rng, rows, "change") + rng.randrange(-1, 2)
    op = rng.choice(["=", "!=", "<", ">", "<=", ">="])
    compare = {"=": n.__eq__, "!=": n.__ne__, "<": n.__gt__, ">": n.__lt__,
               "<=": n.__ge__, ">=": n.__le__}[op]
    return f"change {op} {n}", lambda row: compare(row["change"])


def tag_test(rng, rows):
    """A bare word, key=value, or key in (…)."""
    tag = rng.choice([t for t in TAGS if t not in WORDS and t[0] != "="])
    key, equals, _ = tag.partition("=")
    if equals and rng.random() < .4:
        values = [t.partition("=")[2] for t in TAGS
                  if t.startswith(key + "=")]
        tags = [f"{key}={v}" for v in values]
        return (f"{key} in ({', '.join(values)})",
                lambda row: any(t in row["tag"] for t in tags))
    return tag, lambda row: tag in row["tag"]


def held_test(rng, rows):
    text, want = rng.choice([("held", True), ("held = no", False),
                             ("held != yes", False), ("held = true", True)])
    return text, lambda row: row["held"] == want


def expression(rng, rows, depth):
    if depth == 0 or rng.random() < .25:
        return rng.choice([text_test, text_test, text_test, tag_test,
                           tag_test, change_test, held_test])(rng, rows)
    if rng.random() < .2:
        text, yes = expression(rng, rows, depth - 1)
        return f"not ({text})", lambda row: not yes(row)
    (a, left), (b, right) = (expression(rng, rows, depth - 1)
                             for _ in range(2))
    if rng.random() < .5:
        return f"({a}) and ({b})", lambda row: left(row) and right(row)
    return f"({a} or {b})", lambda row: left(row) or right(row)


# ---- both -----------------------------------------------------------------

@pytest.mark.parametrize("part", range(4))
def test_random_expressions_select_what_they_say(table, part):
    rng = random.Random(SEED * 1000 + part)
    some = 0
    for _ in range(EXPRESSIONS // 4):
        text, yes = expression(rng, table.rows, 3)
        want = sorted(r["address"] for r in table.rows if yes(r))
        got = sorted(r["address"] for r in table.cli_json(
            "route", "list", "--where", text))
        assert got == want, text
        some += 0 < len(want) < ROWS
        if want:  # the other walk, by which changes select
            moved = sorted(r["address"] for r in table.cli_json(
                "flip", "third", "--only-address", "--dry-run", "--yes",
                "--where", text))
            assert moved == want, text
    assert some > EXPRESSIONS // 16  # it is not all or nothing


def test_a_wave_that_is_not_there_is_refused(table):
    for words in (["route", "list"], ["flip", "third", "--dry-run"]):
        said = table.cli_fails(*words, "--where", "not wave = w9")
        assert "there is no wave w9" in said
