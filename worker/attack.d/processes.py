import resource
import signal
import threading

opened = []
while outcome(lambda: opened.append(os.open("/dev/null", os.O_RDONLY))) == "done" and len(opened) < 1 << 20:
    pass
answer = outcome(os.open, "/dev/null", os.O_RDONLY)
most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
for fd in opened:
    os.close(fd)
act(answer == "EMFILE" and len(opened) < most, "descriptors", f"{answer} after {len(opened)}; the limit is {most}")
children, answer = [], "done"
while answer == "done" and len(children) < pids + 200:
    try:
        child = os.fork()
    except OSError as error:
        answer = errno.errorcode[error.errno]
        break
    if child == 0:
        signal.pause()
        os._exit(0)
    children.append(child)
act(answer == "EAGAIN" and pids - 28 < len(children) < pids, "processes", f"{answer} after {len(children)}; the limit is {pids}")
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def count_threads():
    count, stop = 0, threading.Event()
    try:
        while count < pids + 200:
            threading.Thread(target=stop.wait, daemon=True).start()
            count += 1
    except RuntimeError:
        pass
    return count


count = int(in_child(count_threads))
act(pids - 28 < count < pids, "threads", f"refused after {count}; the limit is {pids}")
workers, started = [], time.monotonic()
for _ in range(8):
    child = os.fork()
    if child == 0:
        while time.monotonic() - started < 3:
            pass
        os._exit(0)
    workers.append(child)
used = sum(sum(os.wait4(child, 0)[2][:2]) for child in workers)
share = used * 100 / (time.monotonic() - started)
act(share <= cpu_percent * 1.5, "8 busy processes", f"got {share:.0f} % of a CPU; the limit is {cpu_percent} %")
print("end")
