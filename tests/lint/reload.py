# SPDX-License-Identifier: ISC
"""Does a reload do what the schema says? A parameter that is not declared
RESTART is read from the configuration that is in force, or the daemon hands it
on at a reload what it made of it at the start. One that is read nowhere has
no effect at all."""
import re

SCHEMAS, DAEMON = ("conf/schema.c", "conf/schema_cutover.c"), "relay/daemon/"
NOT_USES = (*SCHEMAS, "conf/conf.h", "conf/parse.c", "conf/print.c")
# What is made at the start and then stays: these functions and files.
START_FILES = ("recovery.c", "background.c", "sandbox.c", "privileges.c")
START = {"build", "make_shared", "make_workers", "make_watch", "make_control",
         "open_spool", "place_check_private", "make_worker"}
RELOAD = {"app_reconfigure"}
ROW = re.compile(r'\{ (?:IN\(\w+\)|HOP), "(\w+)", &\w+, '
                 r"(?:C|LEG|DOMAIN|LISTEN)\(([\w.]+)\)(.*?)\},?[ \t]*\n", re.S)
EFFECT = re.compile(r"\b(LIVE|RESTART|NEW_SESSIONS)\b")


def rows(text):
    """Key, field, what a reload does, and the row's line."""
    for m in ROW.finditer(text):
        effect = EFFECT.search(m.group(3))
        if effect:
            yield (m.group(1), m.group(2), effect.group(1),
                   text.count("\n", 0, m.start()) + 1)


def readers(source, word):
    """The functions that read it; "" for the text between them."""
    for n, line in enumerate(source.bare.splitlines(), 1):
        if word.search(line):
            yield next((f.name for f in source.functions
                        if f.first <= n <= f.last), "")


def uses(tree, field):
    """How often it is read at the start, at a reload, and elsewhere."""
    timeout = field.removesuffix("_timeout_ms")
    word = re.compile(r"(?:->|\.)" + re.escape(field) + r"\b" +
                      (rf"|\bT\({timeout}\)" if timeout != field else ""))
    whole = "." in field  # else it may be a field of another struct as well
    start = again = other = 0
    for s in tree.sources:
        if s.name in NOT_USES:
            continue
        daemon = s.name.startswith(DAEMON)
        for name in readers(s, word):
            if daemon and name in RELOAD:
                again += 1
            elif whole and daemon and (
                    name in START or s.name.endswith(START_FILES)):
                start += 1
            else:
                other += 1
    return start, again, other


def reload(tree):
    """settings that the schema calls live are live"""
    for s in tree.sources:
        for key, field, effect, line in rows(s.text if s.name in SCHEMAS
                                             else ""):
            start, again, other = uses(tree, field)
            if effect == "RESTART":
                continue
            if start + again + other == 0:
                yield f"{s.name}:{line}: {key} ({field}) is read nowhere"
            elif start and not again:
                yield (f"{s.name}:{line}: {key} ({field}) is {effect}, but "
                       f"what is made of it at the start does not hear of a "
                       f"reload: app_reconfigure()")


RULES = {"reload": reload}
