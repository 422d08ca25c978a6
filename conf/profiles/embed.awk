# SPDX-License-Identifier: ISC
# Makes conf/profiles_text.c of the files that it is given.
function quoted(s) {
	gsub(/[\\"]/, "\\\\&", s)
	return "\"" s "\\n\""
}
BEGIN {
	print "/* Made by conf/profiles/embed.awk. */"
	print "#include \"conf/check.h\"\n"
	print "const struct profile_text profile_text[] = {"
}
FNR == 1 {
	if (NR > 1)
		print "\t},"
	name = FILENAME
	sub(/.*\//, "", name)
	sub(/\.profile$/, "", name)
	print "\t{ \"" name "\","
	texts++
}
{ print "\t" quoted($0) }
END {
	print "\t},\n};"
	print "const int profile_texts = " texts + 0 ";"
}
