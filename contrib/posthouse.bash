# SPDX-License-Identifier: ISC
# Completion of posthouse(1) for bash. Commands and options are asked from the
# program itself, so there is no list here to be kept.

_posthouse_words()
{
	# The words after the command's own options, without options.
	local i word
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-c) ((i++)) ;;
		-*) ;;
		*) printf '%s ' "$word" ;;
		esac
	done
}

# _posthouse_column COLUMN COMMAND...: the values of a column of a list. The
# daemon or the table may not be there; then there are none.
_posthouse_column()
{
	local column=$1 i file=()
	shift
	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -c ]] && file=(-c "${COMP_WORDS[i + 1]}")
	done
	timeout 2 "${COMP_WORDS[0]}" "${file[@]}" "$@" --json 2>/dev/null </dev/null |
		sed -n "s/.*\"$column\":\"\([^\"]*\)\".*/\1/p" | head -n 500
}

_posthouse_offer()
{
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur" | sort -u)
}

_posthouse()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local table words line name options=

	COMPREPLY=()
	case $prev in
	-c | --file)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--to-dir)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	--leg | --from-leg | --to-leg)
		_posthouse_offer "$(_posthouse_column leg leg list)"
		return
		;;
	--tag)
		_posthouse_offer "$(_posthouse_column tag route count --by tag)"
		return
		;;
	--state)
		mapfile -t COMPREPLY < <(compgen -W \
			'queued deferred held frozen parked' -- "$cur")
		return
		;;
	esac
	table=$("${COMP_WORDS[0]}" help --names 2>/dev/null) || return
	words=$(_posthouse_words)
	while IFS= read -r line; do
		name=${line%%:*}
		# The command is complete: its options.
		if [[ $words == "$name "* ]]; then
			options=${line#*:}
		# It is begun: the next word of it.
		elif [[ "$name " == "$words"* ]]; then
			name=${name#"$words"}
			options+=" ${name%% *}"
		fi
	done <<<"$table"
	case $words in
	"leg probe " | "leg suspend " | "leg resume ")
		options+=" $(_posthouse_column leg leg list)"
		;;
	esac
	if [[ $words == "route import "* || $words == "route diff "* ]]; then
		mapfile -t COMPREPLY < <(compgen -f -W "$options" -- "$cur" |
			sort -u)
	else
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur" | sort -u)
	fi
}

complete -F _posthouse posthouse
