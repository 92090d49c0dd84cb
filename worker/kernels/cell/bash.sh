# The kernel of bash cells: a shell that stays (protocol/control.h, src/init/kernel_cell.c). Its loop stands in languages.d/bash.json, in one line,
# so that the lines of a cell are counted from one and at the top level: what a cell declares, it declares for the next one.
#
# Rules
# 1. Folder, variables, functions, options, aliases and traps stay. So they do when the cell ends the shell (exit, set -e): the trap at the end
#    writes them down, another shell takes this one's place in the same process, and reads them.
# 2. A cell's own trap on EXIT is its own matter: it takes the place of ours, and the shell ends where it says so.
# 3. An interrupt ends the cell as exit does. Between cells there is none.
# 4. A last cell with a script is that script, run by bash itself.

mayfly_text='' mayfly_status=0 mayfly_flags='' mayfly_last=0

# What a new shell needs to go on where another ended.
mayfly_write_state() {
	declare -p
	declare -f
	declare -F
	shopt -p
	set +o
	alias -p
	umask -p
	trap -p | while IFS= read -r line; do
		case $line in *mayfly_* | *'exit 130'*) ;; *) builtin printf '%s\n' "$line" ;; esac
	done
	builtin printf 'mayfly_status=%s mayfly_flags=%s\n' "$1" "$2"
}

# The shell ends. Code and state share a file that the host's next cell is written to: EXIT is sent when the state was read.
mayfly_leave() {
	{ mayfly_keep_flags "$-"; } 2>/dev/null
	trap - EXIT INT
	mayfly_write_state "$1" "$mayfly_flags" >/dev/fd/62 2>/dev/null
	MAYFLY_CELL=$mayfly_descriptors MAYFLY_EXIT=$1 exec "$BASH" -c "$BASH_EXECUTION_STRING" bash
}

# Options that stay, and none of them for what is ours.
mayfly_keep_flags() {
	set +xveu
	mayfly_flags=${1//[!aefhkmnptuvxBCEHPT]/}
}

# A frame of nine bytes: "code=" and three digits.
mayfly_say_exit() {
	builtin printf 'X\0\0\0\011code=%03d\0' "$1" >&63
}

# The next cell's text; false when there will be none.
mayfly_next() {
	local index echo script
	IFS=' ' read -r -u 63 index echo mayfly_last script || return 1
	mayfly_last=${mayfly_last#last=} script=${script#script=}
	if [[ $mayfly_last == 1 && $index == index=0 && $echo == echo=0 && $script ]]; then
		trap - EXIT INT
		exec "$BASH" "$script" 62>&- 63>&-
	fi
	IFS= read -rd '' mayfly_text <"${script:-/dev/fd/62}"
	if [[ $mayfly_last == 1 ]]; then
		trap - EXIT INT
	else
		trap 'mayfly_leave $?' EXIT
		trap 'exit 130' INT
	fi
	[[ -z $mayfly_flags ]] || set "-$mayfly_flags"
	return 0
}

# After a cell: its status, and the options it left.
mayfly_done() {
	trap '' INT
	mayfly_keep_flags "$2"
	[[ $mayfly_last == 0 ]] || builtin exit "$1"
	mayfly_say_exit "$1"
}

mayfly_descriptors=$MAYFLY_CELL
unset MAYFLY_CELL
trap '' INT
if [[ -v MAYFLY_EXIT ]]; then
	unset MAYFLY_EXIT
	IFS= read -rd '' mayfly_text </dev/fd/62
	eval "$mayfly_text" >/dev/null 2>&1
	set +xveu
	mayfly_say_exit "$mayfly_status"
else
	builtin printf 'Y\0\0\0\0' >&63
fi
