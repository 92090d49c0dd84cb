# Leaves what it can wherever it can, for the next job to find.
for folder in /workspace /tmp /dev/shm /var/tmp /run /dev/mqueue "$HOME"; do
	echo MARK > "$folder/left-MARK"
	echo MARK > "$folder/.left-MARK"
	mkdir -p "$folder/.config/MARK" "$folder/.local/lib/python3.11/site-packages/MARK"
	echo 'echo MARK' > "$folder/.bashrc"
	cp "$folder/.bashrc" "$folder/.profile"
	echo 'import os; os.write(1, b"MARK")' > "$folder/.local/lib/python3.11/site-packages/usercustomize.py"
	cp "$folder/.local/lib/python3.11/site-packages/usercustomize.py" "$folder/sitecustomize.py"
	mkdir -p "$folder/node_modules/MARK" && echo 'console.log("MARK")' > "$folder/node_modules/MARK/index.js"
done
for folder in /etc/cron.d /var/spool/cron /etc/profile.d /usr/lib/python3/dist-packages /usr/local/bin; do
	echo MARK > "$folder/left-MARK"
done
echo '* * * * * touch MARK' | crontab - 
( setsid sh -c 'sleep 1000; : MARK' & )
python3 -c '
import ctypes
libc = ctypes.CDLL(None)
segment = libc.shmget(0x4d41524b, 4096, 0o1666)
libc.semget(0x4d41524b, 1, 0o1666)
libc.msgget(0x4d41524b, 0o1666)
libc.shmat.restype = ctypes.c_void_p
ctypes.memmove(libc.shmat(segment, None, 0), b"MARK", 4)'
exit 0
