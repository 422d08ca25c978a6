# SPDX-License-Identifier: ISC
"""Circles and levels of a graph: {node: {nodes that it points to}}."""


def reach(graph, start):
    """All that a walk of one arrow or more comes to."""
    seen, left = set(), list(graph.get(start, ()))
    while left:
        node = left.pop()
        if node not in seen:
            seen.add(node)
            left += graph.get(node, ())
    return seen


def knots(graph):
    """Sets of nodes that all reach one another, each sorted."""
    after = {node: reach(graph, node) for node in graph}
    found, done = [], set()
    for node in sorted(graph):
        if node in done or node not in after[node]:
            continue
        knot = sorted(n for n in after[node] if node in after.get(n, ()))
        done.update(knot)
        found.append(knot)
    return found


def circles(graph):
    """A line of text for each knot: its shortest circle, then its nodes. The
    header of a room's own (NAME_int) includes its public half (NAME): the two
    are one."""
    found = []
    for knot in knots(graph):
        if len(knot) > 1 and len({whole(node) for node in knot}) == 1:
            continue
        ways = (_circle(graph, knot, start) for start in knot)
        way = min((w for w in ways if len(w) == 2 or
                   len({whole(node) for node in w}) > 1), key=len)
        more = f" ({len(knot)} in all: {', '.join(knot)})" \
            if len(knot) > len(way) - 1 else ""
        found.append(" -> ".join(way) + more)
    return found


def whole(node):
    return node.removesuffix("_int")


def _circle(graph, knot, start):
    """A shortest way within a knot from `start` back to it."""
    ways, seen = [[start]], set()
    for way in ways:
        for to in sorted(graph.get(way[-1], ())):
            if to == start:
                return way + [to]
            if to in knot and to not in seen:
                seen.add(to)
                ways.append(way + [to])
    return []


def levels(graph):
    """{node: longest way down}; only of a graph without circles."""
    found = {}

    def level(node):
        if node not in found:
            found[node] = 1 + max(
                (level(to) for to in graph.get(node, ())), default=-1)
        return found[node]

    for node in graph:
        level(node)
    return found
