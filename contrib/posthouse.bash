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

_posthouse_files()
{
	compopt -o filenames 2>/dev/null # quotes them
	mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

# Adds those of the words that begin with what was typed, quoted for the
# shell. compgen -W would run what a word contains, and tags come from files.
_posthouse_offer()
{
	local word words
	read -r -d '' -a words < <(tr ' ' '\n' <<<"$1" | sort -u)
	for word in "${words[@]}"; do
		[[ $word == "$cur"* ]] && COMPREPLY+=("$(printf '%q' "$word")")
	done
}

_posthouse()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local table words line name options=

	COMPREPLY=()
	case $prev in
	-c | --file)
		_posthouse_files -f
		return
		;;
	--to-dir)
		_posthouse_files -d
		return
		;;
	--leg | --from-leg | --to-leg)
		_posthouse_offer "$(_posthouse_column leg leg list)"
		return
		;;
	--wave | --failed-of)
		_posthouse_offer "$(_posthouse_column name wave list)"
		return
		;;
	--tag)
		_posthouse_offer "$(_posthouse_column tag route count --by tag)"
		return
		;;
	--format)
		case $(_posthouse_words) in
		"route import "*)
			_posthouse_offer 'csv exchange google passwd
				postfix-transport postfix-virtual'
			;;
		"export coexist "*)
			_posthouse_offer 'exchange exim google postfix'
			;;
		"stragglers import "*)
			_posthouse_offer 'exchange-tracking exim postfix'
			;;
		esac
		return
		;;
	--state)
		_posthouse_offer 'queued deferred held frozen parked'
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
	"leg guide " | "leg probe " | "leg suspend " | "leg resume ")
		options+=" $(_posthouse_column leg leg list)"
		;;
	"wave add " | "wave remove " | "wave delete " | "wave show " | \
		"wave start " | "wave schedule " | "wave unschedule " | \
		"wave pause " | "wave resume " | "wave rollback " | \
		"wave rehearse " | "wave flip ")
		options+=" $(_posthouse_column name wave list)"
		;;
	esac
	if [[ $words == "route import "* || $words == "route diff "* ]]; then
		_posthouse_files -f
	fi
	case $words in
	"backup "* | "restore "* | "queue import "*)
		_posthouse_files -d
		;;
	esac
	_posthouse_offer "$options"
}

complete -F _posthouse posthouse
