# SPDX-License-Identifier: ISC
"""The command line of the check scripts. A rule is a function of a Tree that
yields `place: what is wrong` for each violation."""
import argparse
import sys

from tree import Tree


def arguments(rules, what):
    parser = argparse.ArgumentParser(
        description=what, formatter_class=argparse.RawTextHelpFormatter,
        epilog="rules:\n" + "".join(
            f"  {name:16}{rule.__doc__.splitlines()[0]}\n"
            for name, rule in rules.items()))
    parser.add_argument("root", nargs="?", default=".",
                        help="the tree (default: this folder)")
    parser.add_argument("--only", metavar="RULE[,RULE]",
                        help="these rules alone (default: all)")
    parser.add_argument("--count", action="store_true",
                        help="print the number of violations of each rule")
    return parser


def main(rules, what):
    parser = arguments(rules, what)
    args = parser.parse_args()
    names = list(rules)
    if args.only:
        names = list(rules) if args.only == "all" else args.only.split(",")
    for name in names:
        if name not in rules:
            parser.error(f"no rule {name}; there are {', '.join(rules)}")
    tree, bad = Tree(args.root), 0
    if not tree.sources:
        sys.exit(f"{args.root}: no C files here")
    for name in names:
        found = list(rules[name](tree))
        bad += len(found)
        if args.count:
            print(f"{len(found):5} {name}")
            continue
        for line in found:
            print(f"{line} [{name}]")
    sys.exit(bad != 0)
