for folder in . /tmp /dev/shm /var/tmp /run /dev/mqueue "$HOME"; do
	echo DOCTOR-MARK > "$folder/left-DOCTOR-MARK"
	echo DOCTOR-MARK > "$folder/.left-DOCTOR-MARK"
	mkdir -p "$folder/.config/DOCTOR-MARK" "$folder/.local/lib/python3.11/site-packages/DOCTOR-MARK"
	echo 'echo DOCTOR-MARK' > "$folder/.bashrc"
	cp "$folder/.bashrc" "$folder/.profile"
	echo 'print("DOCTOR-MARK", flush=True)' > "$folder/sitecustomize.py"
	cp "$folder/sitecustomize.py" "$folder/.local/lib/python3.11/site-packages/usercustomize.py"
	mkdir -p "$folder/node_modules/DOCTOR-MARK" && echo 'console.log("DOCTOR-MARK")' > "$folder/node_modules/DOCTOR-MARK/index.js"
done 2> /dev/null
for folder in /etc/cron.d /var/spool/cron /etc/profile.d /usr/local/bin /usr/lib/python3/dist-packages; do
	echo DOCTOR-MARK > "$folder/left-DOCTOR-MARK"
done 2> /dev/null
echo '* * * * * touch DOCTOR-MARK' | crontab - 2> /dev/null
(setsid sh -c 'sleep 900; : DOCTOR-MARK' &)
for _ in 1 2 3; do (setsid nohup bash -c 'exec -a DOCTOR-MARK sleep 900' > /dev/null 2>&1 &); done
python3 -c '
import ctypes
libc = ctypes.CDLL(None)
segment = libc.shmget(0x444f4354, 4096, 0o1666)
libc.semget(0x444f4354, 1, 0o1666)
libc.msgget(0x444f4354, 0o1666)
libc.shmat.restype = ctypes.c_void_p
ctypes.memmove(libc.shmat(segment, None, 0), b"MARK", 4)' > /dev/null
if [ -f left-DOCTOR-MARK ]; then echo 'held: something could be left: it was'; fi
echo end
exit 0
