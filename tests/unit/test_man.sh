#!/bin/sh
# SPDX-License-Identifier: ISC
# The manual pages are clean mdoc; pages that are not installed yet may be
# referred to.
command -v mandoc >/dev/null || { echo "no mandoc"; exit 77; }
said=$(cd "${srcdir:-.}/doc" && mandoc -Tlint ./*.[1-8] 2>&1 |
	grep -vE 'referenced manual not found|outdated mandoc.db')
echo "${said:-clean}"
[ -z "$said" ]
