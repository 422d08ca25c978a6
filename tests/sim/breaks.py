#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Breaks one promise at a time, and counts the seeds until the simulation
finds it.

Each row of `breaks` names a promise, a piece of the product's text and what
stands there instead. It is applied to a scratch copy of the tree, the
simulation is built there, and seeds run until one fails.
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEEDS = 400

# promise, what is broken, old text (once in the product), new text
breaks = [
    ("T1", "250 is said whatever the journal answers",
     "bool stored = l->status == SPOOL_STORED;", "bool stored = true;"),
    ("T2", "a sync that failed is believed",
     "rc = io->fdatasync(io, fd);\n\t}\n\tno = errno;",
     "(void)io->fdatasync(io, fd);\n\t\trc = 0;\n\t}\n\tno = errno;"),
    ("T3", "a dot that begins a line is not doubled",
     "strbuf_addc(out, '.');\n\t\t\tw->state", "w->state"),
    ("T4", "mail for any domain is taken",
     "refuse(decision_out, &no_relay);",
     "decision_out->route.kind = ROUTE_LEGS;\n"
     "\t\tdecision_out->route.legs = 1;\n"
     "\t\tdecision_out->verdict = VERDICT_ACCEPT;"),
    ("T5", "a recipient without a row is taken in spite of the policy",
     "if (p->own->unknown != UNKNOWN_ROUTE &&",
     "if (false && p->own->unknown != UNKNOWN_ROUTE &&"),
    ("T6", "a bare LF in DATA is not noticed",
     "if (!r->normalize)\n\t\tr->bare = true;",
     "if (!r->normalize)\n\t\tr->bare = false;"),
    ("D1", "an attempt goes where its route led once",
     "!names_leg(&d, at))", "false)"),
    ("D2", "a leg that cannot be reached shuts all legs",
     "atomic_fetch_or(&l->leg[leg].gates, (unsigned)gate);",
     "for (int i = 0; i < NAMES_MAX; i++)\n\t\t\t"
     "atomic_fetch_or(&l->leg[i].gates, (unsigned)gate);"),
    ("D3", "a copy that fails is told to the sender",
     "if (o->role == ROLE_COPY ||\n\t    !bounce_due(", "if (!bounce_due("),
    ("D3", "a route that changes makes a second primary",
     "if (ended_primary(h) || h->dsn_sent)", "if (h->dsn_sent)"),
    ("D4", "a session that is refused ends its mail",
     "return ON_HELLO;", "return ON_MAIL;"),
    ("D5", "unknown soon after a flip is final",
     "f->in_grace = now > 0;", "f->in_grace = false;"),
    ("D7", "a recipient that is refused takes the others along",
     "exchange_settle(t, i, &r);\n\t\treturn;\n\t}\n\tif (t->enough == 0)",
     "exchange_settle_all(t, STATE_BIT(RCPT_ACCEPTED), &r);\n"
     "\t\texchange_settle(t, i, &r);\n\t\treturn;\n\t}\n"
     "\tif (t->enough == 0)"),
    ("D8", "an answer that was lost leaves no mark",
     "if (r->uncertain)\n\t\ti->uncertain = UNC_YES;", ""),
    ("D8", "an unclean end leaves no mark",
     "d->uncertain == UNC_NO)\n\t\t\t\td->uncertain = UNC_POSSIBLE;",
     "false)\n\t\t\t\t;"),
    ("D9", "who wants no notice gets one",
     "return notify == 0 || (notify & NOTIFY_FAILURE) != 0;",
     "return true;"),
    ("D10", "the end of a lifetime is told to nobody",
     "\tif (told)\n\t\ti->flags |= DF_DSN_SENT;",
     "\tif (o->why == WHY_LIFETIME)\n\t\ttold = false;\n"
     "\tif (told)\n\t\ti->flags |= DF_DSN_SENT;"),
    ("R1", "a change wakes nothing",
     "queue_wake(s->queue, l->hash[i]);", "(void)l->hash[i];"),
    ("R3", "what is held is delivered",
     "if (d.held ||\n\t    !mail_without", "if (!mail_without"),
    ("A1", "the rows of the index are there, its cursor stays",
     "return hourfile_commit(f, p->next, p->whole, base);",
     "return hourfile_commit(f, hourfile_state(f)->cursor, p->whole, base);"),
    ("A2", "what is superseded is not counted away",
     "less(&t[was->leg][dstate_total(was->state)]);",
     "if (is->state != D_SUPERSEDED)\n"
     "\t\t\tless(&t[was->leg][dstate_total(was->state)]);"),
    ("letters", "what a worker gives back is lost on its way",
     "l->trouble = how == BACK_TROUBLE;\n\tl->n = n;",
     "l->trouble = how == BACK_TROUBLE;\n"
     "\tl->n = how == BACK_STALE ? 0 : n;"),
    ("slots", "a slot is given back twice",
     "at->slot = false; /* the connection's now */", ""),
    ("slots", "a slot is not given back",
     "if (at->slot)\n\t\tledger_give(", "if (at->slot && at->trial)\n"
     "\t\tledger_give("),
]


def find(tree, old):
    """The file that has the text, once."""
    hits = [p for folder in ("relay", "policy", "conf")
            for p in sorted((tree / folder).rglob("*.[ch]"))
            if old in p.read_text()]
    if len(hits) != 1 or hits[0].read_text().count(old) != 1:
        sys.exit(f"not once in the product, but in {len(hits)} files:\n{old}")
    return hits[0]


def make(tree):
    done = subprocess.run(
        ["make", "-j2", "-C", tree / "build", "CFLAGS=-g -O2 -Wno-error",
         "tests/sim/sim"],
        capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stdout[-3000:] + done.stderr[-3000:])


def seeds_needed(tree, count):
    """How many seeds until one fails, that seed, and what it breaks."""
    sim = tree / "build/tests/sim/sim"
    done = subprocess.run([sim, "--count", str(count), "--first"],
                          capture_output=True, text=True)
    seed = re.search(r"^FAIL  seed (\d+)", done.stdout, re.M)
    if seed is None:
        return None, None, "not found"
    one = subprocess.run([sim, "--seed", seed[1], "--no-shrink"],
                         capture_output=True, text=True)
    why = re.search(r"^BROKEN: (.*)", one.stdout, re.M)
    lines = (one.stdout + one.stderr).strip().splitlines() or ["crash"]
    runs = re.search(r"^(\d+) seeds", done.stdout, re.M)
    return int(runs[1]), int(seed[1]), why[1] if why else lines[-1]


def scratch_tree(folder):
    tree = folder / "tree"
    if not tree.exists():
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(
            ".git", "build*", "__pycache__", "*.o"))
        (tree / "build").mkdir()
        subprocess.run(["autoreconf", "-fi"], cwd=tree, check=True,
                       capture_output=True)
        subprocess.run(["../configure", "CC=ccache gcc"], cwd=tree / "build",
                       check=True, capture_output=True)
    return tree


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--only", type=int, action="append",
                   help="row number, from 1; may be repeated")
    p.add_argument("--seeds", type=int, default=SEEDS)
    p.add_argument("--folder", help="scratch folder, kept and used again")
    p.add_argument("--check", action="store_true",
                   help="only whether each text is there once")
    o = p.parse_args()
    if o.check:
        for row in breaks:
            find(ROOT, row[2])
        print(len(breaks), "breaks")
        return 0
    folder = pathlib.Path(o.folder or tempfile.mkdtemp(prefix="ph-breaks-"))
    tree, missed = scratch_tree(folder), 0
    for n, (promise, what, old, new) in enumerate(breaks, 1):
        if o.only and n not in o.only:
            continue
        file = find(tree, old)
        text = file.read_text()
        file.write_text(text.replace(old, new))
        try:
            make(tree)
            runs, seed, why = seeds_needed(tree, o.seeds)
        finally:
            file.write_text(text)
        missed += seed is None
        print(f"{n:2} {promise:8} {what}\n     seeds: {runs}, seed {seed}: "
              f"{why}", flush=True)
    if not o.folder:
        shutil.rmtree(folder)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
