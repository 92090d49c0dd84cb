#!/usr/bin/python3
"""Runs in the guest, as root: says READY on the second serial port, then runs what the host asks for.

A connection is one command: a line of JSON (argv, env, user, timeout_s; or http), then the command's standard input to the end. What goes
back is one line of JSON. Bytes travel as latin-1.

Rules:
 1. READY comes when the boot is over and the user's manager is up: nothing in a test then waits for the guest's own start.
 2. It knows nothing of mayfly.
"""
import http.client
import json
import os
import pwd
import signal
import socketserver
import subprocess
import threading

PORT = 7000


def environment(user):
    """What a login of that user would have."""
    account = pwd.getpwnam(user)
    found = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": account.pw_dir,
             "USER": user, "LOGNAME": user}
    if account.pw_uid >= 1000:
        runtime = f"/run/user/{account.pw_uid}"
        found.update(XDG_RUNTIME_DIR=runtime, DBUS_SESSION_BUS_ADDRESS=f"unix:path={runtime}/bus")
    return account, found


def run(order, stream):
    account, variables = environment(order.get("user", "root"))
    process = subprocess.Popen(order["argv"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={**variables, **order.get("env", {})}, cwd=account.pw_dir if os.path.isdir(account.pw_dir) else "/",
                               user=account.pw_uid, group=account.pw_gid, extra_groups=os.getgrouplist(account.pw_name, account.pw_gid),
                               start_new_session=True)

    def feed():
        try:
            while piece := stream.read(65536):
                process.stdin.write(piece)
            process.stdin.close()
        except OSError:
            pass  # it has ended, or does not read

    threading.Thread(target=feed, daemon=True).start()
    errors = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
    reader.start()
    late = threading.Timer(order["timeout_s"], os.killpg, (process.pid, signal.SIGKILL))
    late.start()
    output = process.stdout.read()
    reader.join()
    status = process.wait()
    late.cancel()
    return {"status": status, "stdout": output.decode("latin-1"), "stderr": errors[0].decode("latin-1")}


def ask(order):
    connection = http.client.HTTPConnection("127.0.0.1", order["port"], timeout=order["timeout_s"])
    connection.request(order["method"], order["path"], order["body"].encode("latin-1"), order["headers"])
    reply = connection.getresponse()
    return {"status": reply.status, "headers": {key.lower(): value for key, value in reply.getheaders()},
            "body": reply.read().decode("latin-1")}


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline()
        if not line:
            return
        order = json.loads(line)
        try:
            answer = ask(order) if "method" in order else run(order, self.rfile)
        except (OSError, http.client.HTTPException, KeyError) as error:
            answer = {"failed": f"{type(error).__name__}: {error}"}
        self.wfile.write(json.dumps(answer).encode() + b"\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


def main():
    with Server(("0.0.0.0", PORT), Handler) as server:
        # neither counts as a failure of the agent: a test says better what is wrong
        subprocess.run(["systemctl", "is-system-running", "--wait"], stdout=subprocess.DEVNULL, check=False)
        subprocess.run(["systemctl", "start", "user@1000.service"], check=False)
        with open("/dev/ttyS1", "w", encoding="ascii") as port:
            port.write("READY\n")
        server.serve_forever()


main()
