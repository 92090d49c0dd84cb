LIMITS = {"/workspace": workspace_mb << 20, "/tmp": tmp_mb << 20, "/dev/shm": shm_mb << 20, "/sys/fs/cgroup": 1 << 20, "/dev/mqueue": 0}


def fill(folder):
    """The bytes that it takes, in files of 30 MiB, and the errno then."""
    size, paths = 0, []
    try:
        while size <= memory_mb << 20:
            paths.append(os.path.join(folder, f"fill{len(paths)}"))
            fd = os.open(paths[-1], os.O_CREAT | os.O_WRONLY, 0o600)
            try:
                while os.fstat(fd).st_size < 30 << 20:
                    size += os.write(fd, b"x" * (1 << 20))
            finally:
                os.close(fd)
        return size, "done"
    except OSError as error:
        return size, errno.errorcode[error.errno]
    finally:
        for path in paths:
            outcome(os.unlink, path)


for place in sorted(folder for folder, _, _ in os.walk("/") if os.access(folder, os.W_OK) and not folder.startswith("/proc")):
    taken, answer = fill(place)
    act(taken <= LIMITS.get(place, 0) and (answer == "ENOSPC" or place == "/dev/mqueue" and answer in ("EMFILE", "EINVAL", "EACCES", "EPERM")),
        "fill " + place, f"{taken} bytes, then {answer}")
print("end")
