import glob

left = []
for folder, _, names in os.walk("/"):
    if not folder.startswith(("/proc", "/sys")):
        left += [os.path.join(folder, name) for name in names if "DOCTOR-" + "MARK" in name]
act(not left, "files of an earlier job", " ".join(left) or "none")
for folder in (".", "/tmp", "/dev/shm", "/dev/mqueue", "/var/tmp"):
    names = [name for name in (os.listdir(folder) if os.path.isdir(folder) else []) if not (folder == "." and name.endswith(".py"))]
    act(not names, "what lies in " + folder, " ".join(names) or "nothing")
running = [path for path in glob.glob("/proc/[0-9]*/cmdline") if "DOCTOR-" + "MARK" in content(path) and path.split("/")[2] != str(os.getpid())]
act(not running, "processes of an earlier job", " ".join(running) or "none")
for kind in ("shm", "sem", "msg"):
    lines = content("/proc/sysvipc/" + kind).splitlines()[1:]
    act(not lines, "System V " + kind, f"{len(lines)}")
print("end")
