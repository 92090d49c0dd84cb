"""Where the network leads. Prints errno names (or "done") and how long each took."""
import errno
import glob
import json
import os
import socket
import stat
import time

found = {"slow": []}


def timed(name, function, *arguments):
    started = time.monotonic()
    try:
        function(*arguments)
        answer = "done"
    except socket.gaierror as error:
        answer = "EAI " + str(error.errno)
    except OSError as error:
        answer = errno.errorcode.get(error.errno, str(error)) if error.errno else str(error)
    if time.monotonic() - started > 1:
        found["slow"].append([name, time.monotonic() - started])
    return answer


def connect(address, family=socket.AF_INET, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as one:
        one.settimeout(5)
        one.connect(address)
        one.send(b"x")


def send(address, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", address)


def echo(family, protocol, address):
    with socket.socket(family, socket.SOCK_DGRAM, protocol) as one:
        one.sendto(b"\x08\0\0\0\0\0\0\0", address)


found["tcp"] = {address: timed(address, connect, (address, 80)) for address in ("192.0.2.1", "10.0.0.1", "172.17.0.1", "192.168.0.1", "8.8.8.8")}
found["udp"] = {address: timed(address, send, (address, 53)) for address in ("192.0.2.1", "8.8.8.8", "255.255.255.255", "224.0.0.1")}
found["icmp"] = {"v4": timed("icmp", echo, socket.AF_INET, socket.IPPROTO_ICMP, ("192.0.2.1", 0)),
                 "v6": timed("icmpv6", echo, socket.AF_INET6, 58, ("2001:db8::1", 0))}
found["ipv6"] = {address: timed(address, connect, (address, 80), socket.AF_INET6) for address in ("2001:db8::1", "fe80::1", "ff02::1",
    "::ffff:192.0.2.1")}
found["dns"] = {name: timed(name, socket.getaddrinfo, name, 80) for name in
                ("example.com", "host.containers.internal", "host.docker.internal", "metadata.google.internal", "HOSTNAME_OF_HOST")}
found["metadata"] = {address: timed(address, connect, (address, 80)) for address in ("169.254.169.254", "169.254.170.2", "100.100.100.200")}
found["metadata"]["fd00:ec2::254"] = timed("fd00", connect, ("fd00:ec2::254", 80), socket.AF_INET6)
found["host loopback"] = {f"{address}:{port}": timed(address, connect, (address, port)) for port in (HOST_PORT, 22, 80, 8080)
                          for address in ("127.0.0.1", "127.0.0.2", "0.0.0.0", "localhost")}
found["host loopback"]["::1"] = timed("::1", connect, ("::1", HOST_PORT), socket.AF_INET6)
found["abstract"] = timed("abstract", connect, "\0HOST_ABSTRACT", socket.AF_UNIX)
found["interfaces by netlink"] = timed("netlink", socket.if_nameindex)
found["interfaces in sysfs"] = sorted(os.listdir("/sys/class/net"))
with open("/proc/net/dev", encoding="ascii") as table:
    found["interfaces in proc"] = sorted(line.split(":")[0].strip() for line in table if ":" in line)
with open("/proc/net/route", encoding="ascii") as table:
    found["routes"] = table.read().splitlines()[1:]
with open("/proc/net/unix", encoding="ascii") as table:
    found["unix sockets"] = [line.split()[7] for line in table.read().splitlines()[1:] if len(line.split()) > 7]
with open("/proc/net/tcp", encoding="ascii") as table:
    found["tcp listeners"] = table.read().splitlines()[1:]


def loopback_works():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname(), timeout=2):
            listener.accept()[0].close()


found["own loopback"] = timed("own", loopback_works)
sockets = []
for folder, _, names in os.walk("/"):
    for name in names:
        path = os.path.join(folder, name)
        try:
            if stat.S_ISSOCK(os.lstat(path).st_mode):
                sockets.append(path)
        except OSError:
            continue
found["sockets in files"] = sockets
found["known sockets"] = {path: os.path.exists(path) for path in
                          ["/run/podman/podman.sock", "/var/run/docker.sock", "/run/docker.sock", "/run/dbus/system_bus_socket",
                          "/run/systemd/notify",
                           "/run/systemd/private", "/run/systemd/journal/socket", "/dev/log", "/run/containerd/containerd.sock", *ENGINE_SOCKETS]}
found["control"] = {path: timed(path, connect, path, socket.AF_UNIX) for path in glob.glob("/run/mayfly/*")}
found["notify"] = {key: os.environ[key] for key in os.environ if key in ("NOTIFY_SOCKET", "DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS",
                                                                        "DOCKER_HOST", "CONTAINER_HOST", "LISTEN_FDS")}
print(json.dumps(found))
