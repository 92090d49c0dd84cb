import socket
import stat


def connect(address, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(5)
        one.connect(address)


def send(address, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", address)


def attempt(what, function, *arguments):
    """Must fail, and at once: a packet that is waited for has left the container."""
    started = time.monotonic()
    try:
        function(*arguments)
        answer = "done"
    except OSError as error:
        answer = errno.errorcode.get(error.errno, str(error)) if error.errno else str(error)
    took = time.monotonic() - started
    act(answer != "done" and took < 3, what, f"{answer}" + ("" if took < 3 else f" after {took:.0f} s"))


# 192.0.2.0/24 and 2001:db8::/32 are for documentation (RFC 5737, RFC 3849): there is no host to be bothered
attempt("TCP to 192.0.2.1", connect, ("192.0.2.1", 80))
attempt("TCP to the bridge's 172.17.0.1", connect, ("172.17.0.1", port))
attempt("TCP to 10.0.2.2, slirp's host", connect, ("10.0.2.2", port))
attempt("UDP to 192.0.2.1", send, ("192.0.2.1", 53))
attempt("UDP broadcast", send, ("255.255.255.255", 9))
attempt("UDP multicast", send, ("224.0.0.1", 9))
attempt("TCP to 2001:db8::1", connect, ("2001:db8::1", 80), socket.AF_INET6)
attempt("link-local fe80::1", connect, ("fe80::1", 80), socket.AF_INET6)
attempt("cloud metadata 169.254.169.254", connect, ("169.254.169.254", 80))
attempt("cloud metadata fd00:ec2::254", connect, ("fd00:ec2::254", 80), socket.AF_INET6)
for name in ("host.containers.internal", "host.docker.internal", "metadata.google.internal", "example.invalid"):
    attempt("resolve " + name, socket.getaddrinfo, name, 80)
for address in ("127.0.0.1", "127.0.0.2", "0.0.0.0"):
    attempt(f"the service on the host's loopback, {address}:{port}", connect, (address, port))
attempt(f"the service on [::1]:{port}", connect, ("::1", port), socket.AF_INET6)
interfaces = sorted(line.split(":")[0].strip() for line in content("/proc/net/dev").splitlines() if ":" in line)
act(interfaces == ["lo"], "interfaces", " ".join(interfaces))
act(content("/proc/net/route").count("\n") <= 1, "routes", f"{max(0, content('/proc/net/route').count(chr(10)) - 1)}")
sockets = []
for folder, _, names in os.walk("/"):
    if folder.startswith(("/proc", "/sys")):
        continue
    for name in names:
        try:
            if stat.S_ISSOCK(os.lstat(os.path.join(folder, name)).st_mode):
                sockets.append(os.path.join(folder, name))
        except OSError:
            continue
act(sockets in ([], ["/run/mayfly/control"]), "sockets in the file system", " ".join(sockets) or "none")
abstract = [line.split()[7] for line in content("/proc/net/unix").splitlines()[1:] if len(line.split()) > 7 and "@" in line.split()[7]]
act(abstract == [], "abstract sockets of the host", " ".join(abstract) or "none")


def talk_to_init():
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.settimeout(5)
        one.connect("/run/mayfly/control")
        one.sendall(b"C\0\0\0\0")
        if not one.recv(1):
            raise OSError(errno.ECONNRESET, "hung up on")


attempt("the control socket of its own container", talk_to_init)
print("end")
