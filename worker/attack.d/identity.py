import glob

SECRET = ("LISTEN_", "XDG_", "NOTIFY_", "INVOCATION", "JOURNAL", "CREDENTIALS", "DOCKER_", "CONTAINER_HOST", "DBUS_", "MAYFLY", "EXECUTOR", "API_KEY", "JWT_",
          "SIGNING")
named = sorted(name for name in os.environ if name.startswith(SECRET))
act(not named, "secrets in the environment", " ".join(named) or "none; it has " + " ".join(sorted(os.environ)))
others = [path for path in glob.glob("/proc/[0-9]*/environ") if path.split("/")[2] not in (str(os.getpid()), "self") and
          any(word in content(path) for word in SECRET)]
act(not others, "secrets in other environments", " ".join(others) or "none")
for name in ("environ", "mem", "maps", "auxv", "stack", "syscall", "io", "pagemap"):
    size = 0
    try:
        with open("/proc/1/" + name, "rb") as file:
            size = len(file.read(16))
        answer = f"read {size} bytes"
    except OSError as error:
        answer = errno.errorcode[error.errno]
    act(size == 0, "read /proc/1/" + name, answer)
for name in ("fd", "map_files", "fdinfo"):
    refused("list /proc/1/" + name, outcome(os.listdir, "/proc/1/" + name), "EACCES", "ENOENT")
for name in ("exe", "cwd", "root", "ns/net"):
    refused("follow /proc/1/" + name, outcome(os.readlink, "/proc/1/" + name), "EACCES", "ENOENT")
pids_seen = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
strangers = [pid for pid in pids_seen if pid not in (1, os.getpid(), os.getppid())]
act(not strangers, "processes of others", f"sees {pids_seen}")
act(os.getppid() in (0, 1), "its parent", f"pid {os.getppid()}")
act(platform.node() in ("sandbox", "localhost"), "host name", platform.node())
fds = sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd) and "/proc/" not in os.readlink("/proc/self/fd/" + fd))
act(set(fds) <= {0, 1, 2}, "open descriptors", str(fds))
print("end")
