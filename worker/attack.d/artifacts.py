import socket

for name, target in (("link-to-passwd", "/etc/passwd"), ("link-to-key", "/var/lib/mayfly/artifacts/.signing-key"), ("dangling", "/nowhere"), ("loop", "loop"),
                     ("folder-link", "/etc")):
    os.symlink(target, name)
os.mkfifo("pipe")
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind("socket")
refused("hard link to /etc/passwd", outcome(os.link, "/etc/passwd", "hard-link"), "EXDEV", "EACCES", "EROFS")
for name in ("-rf", "a\nb", "\u202egpj.exe", "x" * 255, "..%2f..%2fetc%2fpasswd", "<script>"):
    open(name, "w", encoding="ascii").close()
os.makedirs("/".join(["deep"] * 100))
with open("sparse", "wb") as sparse:
    answer = outcome(sparse.truncate, 1 << 40)
act(answer in ("EFBIG", "ENOSPC"), "a file of 1 TiB", answer)
os.makedirs("many")
for number in range(2000):
    open(f"many/{number}", "w", encoding="ascii").close()
with open("closed", "w", encoding="ascii") as closed:
    closed.write("x")
os.chmod("closed", 0)
print("end")
