# SPDX-License-Identifier: ISC
"""Processes as /proc shows them, for tests of what the daemon starts and
leaves behind."""
import pathlib


def _stat(pid):
    """[state, parent, group, session, …], or None when it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(
            ")", 1)[1].split()
    except OSError:
        return None


def alive(pid):
    stat = _stat(pid)
    return stat is not None and stat[0] != "Z"


def zombie(pid):
    stat = _stat(pid)
    return stat is not None and stat[0] == "Z"


def name(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None


def children(pid):
    """Zombies too."""
    out = []
    for p in pathlib.Path("/proc").iterdir():
        if p.name.isdigit():
            stat = _stat(p.name)
            if stat is not None and int(stat[1]) == pid:
                out.append(int(p.name))
    return out


def below(pid):
    """All that it started, and that those started."""
    out = []
    for child in children(pid):
        out += [child, *below(child)]
    return out
