import glob
import subprocess

MARK = "DOCTOR-" + "MARK"
left = [os.path.join(folder, name) for folder, folders, names in os.walk("/") if not folder.startswith(("/proc", "/sys"))
        for name in folders + names if MARK in name]
act(not left, "files of an earlier job", listed(left))
for folder in (".", "/tmp", "/dev/shm", "/dev/mqueue", "/var/tmp", os.environ["HOME"]):
    names = [name for name in (os.listdir(folder) if os.path.isdir(folder) else []) if not (folder == "." and name == "attack.py")]
    act(not names, "what lies in " + folder, listed(names))
names = sorted(set(os.listdir("/run")) - {"mayfly", "mayfly-init", ".containerenv", "secrets", "lock"})
act(not names, "what lies in /run", listed(names))
running = [path for path in glob.glob("/proc/[0-9]*/cmdline") if MARK in content(path) and path.split("/")[2] != str(os.getpid())]
act(not running, "processes of an earlier job", listed(running))
for kind in ("shm", "sem", "msg"):
    lines = content("/proc/sysvipc/" + kind).splitlines()[1:]
    act(not lines, "System V " + kind, f"{len(lines)}")
for command in (["python3", "-c", ""], ["node", "-e", ""], ["bash", "-lc", ""]):
    said = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout.decode("latin-1")
    act(said == "", "a fresh " + command[0], said or "says nothing")
print("end")
