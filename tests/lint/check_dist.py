#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Every file of the tree is in the tarball of a release."""
import argparse
import pathlib
import subprocess
import sys
import tarfile

sys.dont_write_bytecode = True

from tree import Tree


def written(root):
    """The files that git knows; without git (out of a tarball) all that is
    not built."""
    if (root / ".git").exists():
        return subprocess.run(["git", "-C", root, "ls-files"], text=True,
                              capture_output=True, check=True
                              ).stdout.splitlines()
    return Tree(root).files


def missing(root, tarball):
    with tarfile.open(tarball) as tar:
        packed = {name.partition("/")[2] for name in tar.getnames()}
    # .gitignore and .ci are for the repository alone.
    return [f for f in written(root) if f not in packed and
            not f.startswith((".ci/", ".gitignore"))]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("tarball")
    args = parser.parse_args()
    left_out = missing(args.root, args.tarball)
    for name in left_out:
        print(f"{name}: not in {args.tarball}")
    sys.exit(bool(left_out))


if __name__ == "__main__":
    main()
