"""What a program learns of where it runs."""
import errno
import glob
import json
import os
import socket

found = {"environment": dict(os.environ)}


def content(path):
    try:
        with open(path, "rb") as file:
            return file.read(65536).decode("latin-1")
    except OSError as error:
        return "!" + errno.errorcode[error.errno]


found["environments in proc"] = {path: content(path) for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/task/*/environ")}
found["command lines"] = {path: content(path).split("\0") for path in glob.glob("/proc/[0-9]*/cmdline")}
found["pids"] = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
found["me"] = os.getpid()
found["parent"] = os.getppid()
found["threads of init"] = len(glob.glob("/proc/1/task/*"))
found["ids"] = [os.getresuid(), os.getresgid(), sorted(os.getgroups())]
found["hostname"] = {"gethostname": socket.gethostname(), "uname": os.uname().nodename, "file": content("/etc/hostname"),
    "hosts": content("/etc/hosts"),
                     "proc": content("/proc/sys/kernel/hostname"), "domain": content("/proc/sys/kernel/domainname"),
                     "environment": os.environ.get("HOSTNAME")}
found["machine-id"] = {path: content(path) for path in ("/etc/machine-id", "/var/lib/dbus/machine-id")}
found["resolv"] = content("/etc/resolv.conf")
found["containerenv"] = content("/run/.containerenv")
found["secrets"] = [path for path in glob.glob("/run/secrets/*") + glob.glob("/root/.*") + glob.glob("/home/*")]
everything = []
for folder in ("/etc", "/run", "/workspace", "/tmp", "/work", "/opt", "/srv", "/root", "/var/tmp"):
    for where, _, names in os.walk(folder):
        for name in names:
            text = content(os.path.join(where, name)) if os.path.isfile(os.path.join(where, name)) else ""
            if name != "script.js" and any(word in text for word in SECRETS):
                everything.append(os.path.join(where, name))
found["files with secrets"] = everything
found["mountinfo"] = content("/proc/self/mountinfo")
found["cgroup"] = content("/proc/self/cgroup")
found["stdin"] = os.readlink("/proc/self/fd/0")
print(json.dumps(found))
