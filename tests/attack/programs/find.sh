# Looks for what leave.sh left.
find / -xdev \( -name '*MARK*' -o -name .bashrc -newer /run/mayfly-init \) 2> /dev/null
for folder in /workspace /tmp /dev/shm /dev/mqueue /var/tmp /run "$HOME"; do
	find "$folder" -mindepth 1 ! -name script.js ! -path '/run/mayfly*' ! -path '/run/.containerenv' ! -path '/run/secrets*' ! -path '/run/lock*' 2> /dev/null
done
tail -n +2 /proc/sysvipc/shm /proc/sysvipc/sem /proc/sysvipc/msg | grep -v -e '^==>' -e '^$' | grep -v key
grep -l MARK /proc/[0-9]*/cmdline 2> /dev/null
python3 -c ''
node -e ''
exit 0
