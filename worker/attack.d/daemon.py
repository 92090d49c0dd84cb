import signal

for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                continue
        if os.fork() == 0:
            time.sleep(600)
        time.sleep(600)
        os._exit(0)
act(True, "daemons", "three were left behind; the reply does not wait for them, and the next job does not see them")
print("end", flush=True)
