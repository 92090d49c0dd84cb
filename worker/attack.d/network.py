import socket
import stat

NO_WAY = ("ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "EACCES", "EAFNOSUPPORT")


def connect(address, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(5)
        one.connect(address)
        one.send(b"x")


def send(address, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", address)


def echo(address, family, protocol):
    with socket.socket(family, socket.SOCK_DGRAM, protocol) as one:
        one.sendto(b"\x08\0\0\0\0\0\0\0", address)


def resolve(name):
    try:
        socket.getaddrinfo(name, 80)
    except socket.gaierror as error:
        raise OSError(errno.EHOSTUNREACH, str(error)) from error


def attempt(what, allowed, function, *arguments):
    """Must fail with EPERM, ENOSYS or one of allowed, and at once: a packet that is waited for has left the container."""
    started = time.monotonic()
    answer = outcome(function, *arguments)
    took = time.monotonic() - started
    act(answer in ("EPERM", "ENOSYS", *allowed) and took < 1, what, answer + ("" if took < 1 else f" after {took:.0f} s"))


# 192.0.2.0/24 and 2001:db8::/32 are for documentation (RFC 5737, RFC 3849): there is no host to be bothered
for address in ("192.0.2.1", "10.0.0.1", "192.168.0.1", "8.8.8.8"):
    attempt("TCP to " + address, ("ENETUNREACH",), connect, (address, 80))
attempt("TCP to the bridge's 172.17.0.1", ("ENETUNREACH",), connect, ("172.17.0.1", port))
attempt("TCP to 10.0.2.2, slirp's host", ("ENETUNREACH",), connect, ("10.0.2.2", port))
for what, address in (("UDP to 192.0.2.1", "192.0.2.1"), ("UDP to 8.8.8.8", "8.8.8.8"), ("UDP broadcast", "255.255.255.255"),
                      ("UDP multicast", "224.0.0.1")):
    attempt(what, ("ENETUNREACH", "EACCES"), send, (address, 53))
attempt("ICMP", (*NO_WAY, "EPROTONOSUPPORT"), echo, ("192.0.2.1", 0), socket.AF_INET, 1)
attempt("ICMPv6", (*NO_WAY, "EPROTONOSUPPORT"), echo, ("2001:db8::1", 0), socket.AF_INET6, 58)
for address in ("2001:db8::1", "fe80::1", "ff02::1", "::ffff:192.0.2.1"):
    attempt("TCP to " + address, (*NO_WAY, "EINVAL"), connect, (address, 80), socket.AF_INET6)
for address in ("169.254.169.254", "169.254.170.2", "100.100.100.200"):
    attempt("cloud metadata " + address, ("ENETUNREACH", "EADDRNOTAVAIL"), connect, (address, 80))
attempt("cloud metadata fd00:ec2::254", ("ENETUNREACH", "EADDRNOTAVAIL"), connect, ("fd00:ec2::254", 80), socket.AF_INET6)
for name in ("example.com", "example.invalid", "host.containers.internal", "host.docker.internal", "metadata.google.internal", *host_names):
    attempt("resolve " + name, ("EHOSTUNREACH",), resolve, name)
CLOSED = ("ECONNREFUSED", "EADDRNOTAVAIL", "ENETUNREACH")
for number in (port, 22, 80, *host_ports):
    for address in ("127.0.0.1", "127.0.0.2", "0.0.0.0", "localhost"):
        attempt(f"the host's loopback, {address}:{number}", CLOSED, connect, (address, number))
    attempt(f"the host's loopback, [::1]:{number}", CLOSED, connect, ("::1", number), socket.AF_INET6)
for name in host_abstract:
    attempt("an abstract socket of the host", ("ECONNREFUSED",), connect, "\0" + name, socket.AF_UNIX)
interfaces = sorted(line.split(":")[0].strip() for line in content("/proc/net/dev").splitlines() if ":" in line)
act(interfaces == ["lo"] == os.listdir("/sys/class/net"), "interfaces", " ".join(interfaces))
for what, path in (("routes", "/proc/net/route"), ("TCP listeners", "/proc/net/tcp")):
    lines = content(path).splitlines()[1:]
    act(not lines, what, f"{len(lines)}")
sockets = []
for path in files_below("/"):
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            sockets.append(path)
    except OSError:
        continue
act(sockets in ([], ["/run/mayfly/control"]), "sockets in the file system", " ".join(sockets) or "none")
for path in ("/run/podman/podman.sock", "/var/run/docker.sock", "/run/docker.sock", "/run/dbus/system_bus_socket", "/run/systemd/notify",
             "/run/systemd/private", "/run/systemd/journal/socket", "/dev/log", "/run/containerd/containerd.sock"):
    act(not os.path.exists(path), path, "absent" if not os.path.exists(path) else "there")
bound = [line.split()[7] for line in content("/proc/net/unix").splitlines()[1:] if len(line.split()) > 7]
bound = [name for name in bound if not name.startswith("/run/mayfly/")]
act(bound == [], "sockets of the host in /proc/net/unix", " ".join(bound) or "none")


def talk_to_init():
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.settimeout(5)
        one.connect("/run/mayfly/control")
        one.sendall(b"C\0\0\0\0")
        if not one.recv(1):
            raise OSError(errno.ECONNRESET, "hung up on")


attempt("the control socket of its own container", ("ECONNREFUSED", "EACCES", "ECONNRESET", "EPIPE", "ENOENT"), talk_to_init)


def talk_to_itself():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname(), timeout=2):
            listener.accept()[0].close()


act(outcome(talk_to_itself) == "done", "a loopback of its own", outcome(talk_to_itself))
print("end")
