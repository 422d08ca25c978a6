# SPDX-License-Identifier: ISC
"""README's "A cutover, from the first day to the last", word by word: its
commands in their order, by the true program, under a true daemon."""
import re
import shlex

from gateway import ROOT
from until import until

TITLE = "## A cutover, from the first day to the last"
USERS = ["ann", "bob", "carol", "dan", "eve", "fred", "gina"]
# More than a slice of the text's first wave.
FLOOR_1 = ["carol"] + [f"floor{n}" for n in range(600)]


def commands():
    """The lines of that section that are indented as code; one that ends in a
    backslash goes on."""
    text = (ROOT / "README.md").read_text()
    section = text.split(TITLE)[1].split("\n## ")[0]
    lines = re.findall(r"^ {7,}(\S.*)$", section, re.M)
    whole, said = "", []
    for line in lines:
        whole += line.removesuffix("\\")
        if not line.endswith("\\"):
            said.append(whole)
            whole = ""
    assert not whole
    return said


def write_files(folder):
    """users.csv, recipients.csv, wave-1.txt and wave-2.txt of the text."""
    tags = {"eve": "dept=sales client=apple-mail", "gina": "vip"}
    (folder / "users.csv").write_text("address,route,tags\n" + "".join(
        f"{u}@example.com,legacy,{tags.get(u, 'dept=it')}\n"
        for u in USERS + FLOOR_1[1:]))
    (folder / "recipients.csv").write_text(
        "PrimarySmtpAddress,EmailAddresses\n" + "".join(
            f"{u}@example.com,smtp:{u}.lee@example.com\n" for u in USERS))
    (folder / "wave-1.txt").write_text("".join(
        f"{u}@example.com\n" for u in FLOOR_1))
    (folder / "wave-2.txt").write_text("dan@example.com\n")


def rows(gw, *words):
    return gw.cli_json(*words)


def wave(gw, name, column, value):
    return lambda: rows(gw, "wave", "show", name)[0][column] == value


def prepared(gw, line):
    """What a person waits for, or has decided, before that line."""
    if line.startswith("posthouse trace"):
        id = gw.send(to="ann@example.com")
        until(lambda: gw.run("trace", id).returncode == 0, "the trail")
    if line.startswith("posthouse wave pause w1"):
        until(wave(gw, "w1", "done", 500), "the first slice")
    if line.startswith("posthouse watermark synced"):
        until(lambda: any(m["state"] == "reached" for m in
                          rows(gw, "watermark", "list", "--wave", "w2")),
              "the watermark")
    if line.startswith("posthouse wave show w2"):
        until(wave(gw, "w2", "state", "done"), "w2 to be done")
    if line.startswith("posthouse rollback"):
        gw.eve = gw.send(to="eve@example.com")
        gw.wait_event("delivered", gw.eve)


def test_the_cutover_of_the_readme(gw, legacy, cloud):
    said = commands()
    assert len(said) > 25 and all(c.startswith("posthouse ") for c in said)
    write_files(gw.folder)
    done = []
    for line in said:
        prepared(gw, line)
        words = shlex.split(line)[1:]
        words = [str(gw.folder / w) if (gw.folder / w).is_file() else w
                 for w in words]
        ended = gw.run(*words)
        assert ended.returncode == 0, f"{line}: {ended.stdout}{ended.stderr}"
        done.append(line)
    assert done == said
    # Where all of it ends: the default is the cloud; what was rolled back and
    # what was flipped has what the text says.
    assert {u: [leg["leg"] for leg in rows(
        gw, "whereis", f"{u}@example.com")[0]["legs"]]
            for u in ("carol", "dan", "eve", "new")} == {
        "carol": ["legacy"], "dan": ["cloud"], "eve": ["legacy"],
        "new": ["cloud"]}
    legacy.wait_message(gw.eve)  # the replay
    cloud.wait_message(gw.send(to="dan@example.com"))
    gw.verify()
