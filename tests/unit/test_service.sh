#!/bin/sh
# SPDX-License-Identifier: ISC
# The unit is valid and shut in: systemd's own judgement is at most 2.0. A
# daemon that ended itself by an assertion (SIGABRT) is started again.
grep -qx 'Restart=always' "${srcdir:-.}/systemd/posthouse.service.in" ||
	{ echo "the unit does not restart after SIGABRT"; exit 1; }
command -v systemd-analyze >/dev/null || { echo "no systemd-analyze"; exit 77; }
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
sed 's|@sbindir@|/usr/sbin|' "${srcdir:-.}/systemd/posthouse.service.in" \
	>"$dir/posthouse.service" || exit 99
said=$(systemd-analyze security --offline=true "$dir/posthouse.service" 2>&1)
score=$(echo "$said" | sed -n 's/.*exposure level.*: \([0-9.]*\) .*/\1/p')
echo "exposure level: ${score:-none; $said}"
[ -n "$score" ] && awk "BEGIN { exit !($score <= 2.0) }"
