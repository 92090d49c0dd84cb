import glob
import socket

# no name of a variable, and no text in any process, may begin with or hold one of these
VARIABLES = ("LISTEN_", "XDG_", "NOTIFY_", "INVOCATION", "JOURNAL", "CREDENTIALS", "DOCKER_", "CONTAINER_HOST", "DBUS_", "MAYFLY", "EXECUTOR", "API_KEY",
             "JWT_", "SIGNING", "AWS_", "SSH_")
WORDS = ["LISTEN_", "XDG_", "NOTIFY_SOCKET", "DBUS_", "CREDENTIALS", "REMOTE_ADDR", "AA_STORAGE", "DOCKER_", "MAYFLY_RUN", "MAYFLY_INST",
         "MAYFLY_CONFIG", "MAYFLY_DATA", "MAYFLY_SECRET", "EXECUTOR", "API_KEY", "JWT_", "SIGNING", *secrets]


def readable(path):
    try:
        with open(path, "rb") as file:
            if path.endswith("/mem"):
                file.seek(0x400000)
            return f"read {len(file.read(16))} bytes"
    except OSError as error:
        return errno.errorcode[error.errno]


named = sorted(name for name in os.environ if name.startswith(VARIABLES))
act(not named, "secrets in the environment", listed(named))
more = sorted(set(os.environ) - {"PATH", "HOME", "TMPDIR", "USER", "LANG", "PYTHONUNBUFFERED", "RUBYOPT", *environment.split()})
act(not more, "variables that the template does not name", listed(more))
spoken = glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/task/*/environ") + glob.glob("/proc/[0-9]*/cmdline")
telling = [path for path in spoken for word in WORDS if word in content(path)] + [name for name in os.environ for word in secrets if word in os.environ[name]]
act(not telling, "secrets in environments and command lines", listed(telling))
act(content("/proc/1/cmdline").split("\0")[0] == "/run/mayfly-init", "the first process", content("/proc/1/cmdline").split("\0")[0])
for name in ("environ", "mem", "maps", "auxv", "stack", "syscall", "io", "pagemap", "task/1/environ"):
    refused("read /proc/1/" + name, readable("/proc/1/" + name), "EACCES", "ENOENT")
for name in ("fd", "map_files", "fdinfo"):
    refused("list /proc/1/" + name, outcome(os.listdir, "/proc/1/" + name), "EACCES", "ENOENT")
for name in ("exe", "cwd", "root", "ns/net"):
    refused("follow /proc/1/" + name, outcome(os.readlink, "/proc/1/" + name), "EACCES", "ENOENT")
pids_seen = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
act(pids_seen == [1, os.getpid()], "processes of others", f"sees {pids_seen}")
act(os.getppid() == 1, "its parent", f"pid {os.getppid()}")
found = [path for path in files_below("/etc", "/run", "/workspace", "/tmp", "/work", "/opt", "/srv", "/root", "/var/tmp")
         if not path.endswith("/attack.py") and os.path.isfile(path) and any(word in content(path) for word in secrets)]
act(not found, "secrets in files", listed(found))
found = glob.glob("/run/secrets/*") + glob.glob("/root/.*") + glob.glob("/home/*")
act(not found, "files of the host's users", listed(found))
names = {socket.gethostname(), platform.node(), content("/etc/hostname").strip(), content("/proc/sys/kernel/hostname").strip()}
act(names <= {"sandbox"}, "host name", " ".join(sorted(names)))
act("HOSTNAME" not in os.environ, "host name in the environment", os.environ.get("HOSTNAME", "none"))
domain = content("/proc/sys/kernel/domainname").strip()
act(domain == "(none)", "domain", domain)
names = sorted({name for line in content("/etc/hosts").splitlines() for name in line.split("#")[0].split()} -
               {"127.0.0.1", "::1", "localhost", "sandbox", "ip6-localhost", "ip6-loopback"})
act(not names, "other hosts in /etc/hosts", listed(names))
act("nameserver" not in content("/etc/resolv.conf"), "nameservers", content("/etc/resolv.conf").strip() or "none")
for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
    act(content(path).strip() in ("", "uninitialized"), path, content(path).strip() or "none")
ids = [*os.getresuid(), *os.getresgid(), *os.getgroups()]
act(len(set(ids)) == 1 and ids[0] >= 1000, "user and groups", " ".join(map(str, ids)))
fds = {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in map(int, os.listdir("/proc/self/fd")) if os.path.lexists(f"/proc/self/fd/{fd}")}
fds = {fd: target for fd, target in fds.items() if "/proc/" not in target}
act(sorted(fds) == [0, 1, 2] and fds[0] == "/dev/null" and fds[1][:5] == fds[2][:5] == "pipe:", "open descriptors", str(fds))
print("end")
