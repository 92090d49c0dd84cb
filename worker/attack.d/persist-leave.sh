for folder in . /tmp /dev/shm /var/tmp /run /dev/mqueue "$HOME" /etc/cron.d /etc/profile.d /usr/local/bin /usr/lib/python3/dist-packages; do
	echo DOCTOR-MARK > "$folder/left-DOCTOR-MARK"
	echo DOCTOR-MARK > "$folder/.left-DOCTOR-MARK"
	echo 'echo DOCTOR-MARK' > "$folder/.bashrc"
	echo 'print("DOCTOR-MARK")' > "$folder/sitecustomize.py"
done 2> /dev/null
(setsid sh -c 'sleep 900; : DOCTOR-MARK' &)
python3 -c '
import ctypes
libc = ctypes.CDLL(None)
segment = libc.shmget(0x444f4354, 4096, 0o1666)
libc.semget(0x444f4354, 1, 0o1666)
libc.msgget(0x444f4354, 0o1666)'
exit 0
