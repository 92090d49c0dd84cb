unset BASH_ENV
if [[ -v MAYFLY_GO ]]; then
	printf w >&"$MAYFLY_GO"
	read -r -n 1 -u "$MAYFLY_GO" || exit
	exec {MAYFLY_GO}>&-
	unset MAYFLY_GO REPLY
fi
SECONDS=0
: "$BASH"
