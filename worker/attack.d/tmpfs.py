def fill(folder):
    """MiB until it is full, and the errno then."""
    count = 0
    fd = os.open(os.path.join(folder, "fill"), os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        while count < memory_mb:
            os.write(fd, b"\0" * (1 << 20))
            count += 1
        return count, "done"
    except OSError as error:
        return count, errno.errorcode[error.errno]
    finally:
        os.close(fd)
        os.unlink(os.path.join(folder, "fill"))


for folder in ("/dev/shm", "/tmp", ".", "/var/tmp", "/run", "/dev"):
    if not os.access(folder, os.W_OK):
        act(True, "fill " + folder, "not writable")
        continue
    # larger than RLIMIT_FSIZE ends the program: one file in a folder is capped by that as well
    answer = in_child(lambda folder=folder: "{} MiB, then {}".format(*fill(folder)))
    act("ENOSPC" in answer or "EFBIG" in answer or answer == "signal 25", "fill " + folder, answer)
print("end")
