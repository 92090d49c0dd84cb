#!/usr/bin/env python3
"""What a job costs, measured: prints a table, and writes build/bench.json and build/bench.svg.

    bench.py [--rounds N] [--jobs N] [--soak S] [--quick]

Rules:
 1. Whatever is compared is measured in one run, in turns (A B C A B C …), so that a machine's drift hits all alike.
 2. No time makes it fail: targets are printed beside what was measured. What does not work, or is left behind, does.
 3. Only mayfly, Podman and the host are compared: same code, same image, same flags (engine.py, rule 1).
"""
import argparse
import collections
import contextlib
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import chart
import engine
import harness
import measure
import pool

PYTHON = ["/usr/bin/python3", "-c", measure.CODE["python"]]
HOST, PODMAN, COLD = "python3 on the host", "podman run --rm", "mayfly, cold"
POOLED, KERNEL = "mayfly, pooled", "mayfly, prebooted"
NODE_HOST, NODE_KERNEL = "node on the host", "mayfly, node, prebooted"
CELL = "mayfly, cell of a session"
PANDAS_HOST, PANDAS_KERNEL = "pandas on the host", "mayfly, pandas, prebooted"
RUN, RECORDED = "mayfly, /run, warm", "mayfly, /v1/runs, a key, warm"
PANDAS = "import pandas; pandas.DataFrame({'a': [1, 2]}).describe(); print(1)"
CONCURRENCY = (1, 2, 4, 8)
SOAK_CONCURRENCY = 8

# What is measured in turns: what is compared, and not what would only weigh on it.
GROUPS = ((HOST, PODMAN, COLD, POOLED, KERNEL, CELL), (NODE_HOST, NODE_KERNEL), (PANDAS_HOST, PANDAS_KERNEL), (RUN, RECORDED))

# What is divided by what, and where it is to land: the numbers.
RATIOS = (
    (COLD, PODMAN, 0.60),
    (COLD, HOST, None),
    (PODMAN, HOST, None),
    (POOLED, HOST, None),
    (KERNEL, HOST, 0.60),
    (NODE_KERNEL, NODE_HOST, 0.50),
    (CELL, HOST, 0.50),
    (PANDAS_KERNEL, PANDAS_HOST, 0.30),
)
P95_TARGET = 2  # of a job that finds a pooled container with its kernel: p95 by p50
RATE_TARGET = 1.5  # jobs a second at concurrency 8, by podman's
OVERHEAD_TARGET_MS = 5
RECORDED_TARGET_MS = 2  # a run of the code interpreter, above the same job on /run
RSS_TARGET_KIB = 2048


def say(text=""):
    print(text, flush=True)


def measure_side_by_side(rows, servers, rounds):
    """Times of every row in ms; and of rows that are jobs, for each (started, ended, what mayfly logged)."""
    times = {name: [] for name in rows}
    jobs = {name: [] for name, row in rows.items() if isinstance(row, measure.Job)}
    for turn in range(-1, rounds):
        for name, row in rows.items():
            took_ms = row.run()
            settle(servers)
            if turn < 0:  # what is read from disk for the first time
                continue
            times[name].append(took_ms)
            if name in jobs:
                jobs[name].append(row.last)
    logged = {job: log for server in servers for job, log in measure.log_times(server).items()}
    return times, {name: [(started, ended, logged[job]) for started, ended, job in done] for name, done in jobs.items()}


def settle(servers):
    for server in servers:
        measure.settle(server)


def overhead(jobs):
    """Everything but engine and program, in ms: as mayfly saw it, and as the client did (with accept, fork, exec and both ways)."""
    return {
        "in_mayfly": measure.summary([(log["answered_us"] - log["engine_us"] - log["program_us"]) / 1e3 for _, _, log in jobs]),
        "for_the_client": measure.summary([ended - started - (log["engine_us"] + log["program_us"]) / 1e3 for started, ended, log in jobs]),
    }


def measure_phases(tap, server, rounds):
    """Where the time of a cold job goes: medians in ms, in order."""
    job = measure.Job(server)
    phases = {}
    for _ in range(rounds):
        tap.take()
        job.run()
        measure.settle(server)
        started, ended, name = job.last
        log = {key: value / 1e3 for key, value in measure.log_times(server)[name].items()}
        asked = ended - log["answered_us"] + log["asked_us"]
        calls = tap.take()
        marks = [started, asked, *(engine.find_call(calls, start, end)["began"] for start, end in (
            (b"GET /_ping", b""), (b"POST", b""), (b"GET", b"/json"), (b"POST", b"/start"))), asked + log["engine_us"]]
        parts = [after - before for before, after in zip(marks, marks[1:])]
        parts += [log["program_us"], ended - marks[-1] - log["program_us"]]
        for name, part in zip(("accept, exec, confine, body, slot, inputs", "mayfly-engine starts", "engine: ping", "engine: create",
                               "engine: inspect", "engine: start, until init listens", "the program",
                               "connect, send, collect, store, answer"), parts):
            phases.setdefault(name, []).append(part)
    return {name: measure.summary(values) for name, values in phases.items()}


def measure_throughput(rows, server, jobs, levels):
    """Jobs per second and times, by concurrency; counted until the last container is gone. In turns, twice."""
    found = {name: {} for name in rows}
    for level in levels:
        times = {name: [] for name in rows}
        took_ms = dict.fromkeys(rows, 0)
        for _ in range(2):
            for name, run in rows.items():
                part, began, _ = measure.throughput(run.run, jobs // 2, level)
                harness.until(lambda: not server.processes(), "our processes ended")
                took_ms[name] += measure.now_ms() - began
                times[name] += part
                measure.settle(server)
        for name in rows:
            found[name][level] = {**measure.summary(times[name]), "jobs_per_s": 1000 * len(times[name]) / took_ms[name]}
    return found


def measure_request(rounds):
    """Of mayfly for one request, up to the engine call: instructions in user space, and processor time in ms."""
    with harness.Server(engine=False) as server:
        os.makedirs(server.run, exist_ok=True)
        steps, up_to_engine = measure.Steps(), []
        stand_in = measure.StandInEngine(server.run, lambda frame: up_to_engine.append(steps.count))
        request = measure.Job(server).request
        program = os.path.join(harness.BUILD, "mayfly")
        cpu_ms = []
        try:
            with Request(request) as connection:
                whole = steps.run([program], server.environment, connection.fileno())
            for _ in range(rounds):
                with Request(request) as connection:
                    cpu_ms.append(processor_ms(program, server.environment, connection))
        finally:
            stand_in.close()
    return {"instructions_up_to_engine_call": up_to_engine[0], "instructions": whole, "cpu_ms": measure.summary(cpu_ms)}


class Request:
    """A connection on which a request has been sent, for a program to have as descriptor 0."""

    def __init__(self, request):
        self.client, self.server = socket.socketpair()
        self.client.sendall(request)

    def __enter__(self):
        return self.server

    def __exit__(self, *_):
        self.server.close()
        self.client.close()


def processor_ms(program, environment, connection):
    """What a program used of a processor while it answered, user and system."""
    pid = os.posix_spawn(program, [program], environment, file_actions=[
        (os.POSIX_SPAWN_DUP2, connection.fileno(), 0), (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])
    status, used = os.wait4(pid, 0)[1:]
    assert status == 0, f"{program} ended with {status}"
    return (used.ru_utime + used.ru_stime) * 1e3


def measure_memory(server):
    """Of our processes while a job runs. The job ends because its client hangs up."""
    body = json.dumps({"sessionId": "bench", "language": "python", "code": "import time\ntime.sleep(60)"}).encode()
    with server.connect() as connection:
        connection.sendall(b"POST /run HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                           % (server.host.encode(), len(body), body))
        init = harness.until(lambda: init_with_program(server), "the program running")
        found = {os.path.basename(os.readlink(f"/proc/{pid}/exe")): measure.memory(pid) for pid in server.processes()}
        try:
            found["mayfly-init"] = measure.memory(init)
        except PermissionError:  # without root: init lets nobody look
            found["mayfly-init"] = None
    return found


def init_with_program(server):
    for container in server.podman.containers(server.instance):
        pid = server.podman.inspect(container["Id"])["State"]["Pid"]
        try:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
                if pid and children.read().strip():
                    return pid
        except OSError:
            continue
    return None


def measure_soak(seconds):
    """Jobs without a pause for so long, each with a nonce of its own; then what is left."""
    with pool.Site(MAYFLY_POOL="2", MAYFLY_POOL_TOTAL="8", MAX_CONCURRENT_RUNS=None) as server:
        ended, found, lock = time.monotonic() + seconds, collections.Counter(), threading.Lock()

        def work():
            while time.monotonic() < ended:
                nonce = os.urandom(8).hex()
                reply = server.request("POST", "/run", {"sessionId": "soak", "language": "python", "code": f"print('{nonce}')"})
                is_right = reply.status == 200 and json.loads(reply.body)["output"] == nonce + "\n"
                is_busy = reply.status == 503 and "retry-after" in reply.headers
                with lock:
                    found["right" if is_right else "refused" if is_busy else "wrong"] += 1

        threads = [threading.Thread(target=work) for _ in range(SOAK_CONCURRENCY)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        harness.until(lambda: not server.processes(), "our processes ended")
        took_s = time.monotonic() - began
        counters = server.counters()
        server.drop()
        return {**found, "wrong": found["wrong"], "seconds": took_s, "jobs_per_s": found["right"] / took_s, "claims": counters["claims"],
                "misses": counters["misses"], "left": {**server.leaks(), **({"swept": left} if (left := server.swept()) else {})}}


def without_kernel(server):
    """The same server, with a python that cannot be made to wait."""
    folder = os.path.join(server.folder, "config/languages.d")
    os.makedirs(folder)
    with open(os.path.join(folder, "python.json"), "w", encoding="utf-8") as file:
        json.dump({"description": "Python that does not wait", "tools": {"argv": ["python3"]}}, file)
    return server


def pool_rows(stack, environment):
    """The rows of jobs that find a container made ahead, and the servers that they go to."""
    bare, with_kernel = (stack.enter_context(pool.Site(MAYFLY_POOL="2")) for _ in range(2))
    rows = {POOLED: measure.Job(without_kernel(bare)), KERNEL: measure.Job(with_kernel)}
    if node := shutil.which("node", path=environment.get("PATH")):
        rows[NODE_HOST] = measure.Command([node, "-e", measure.CODE["node"]], environment)
        rows[NODE_KERNEL] = measure.Job(with_kernel, "node")
    rows.update(sandbox_rows(stack.enter_context(pool.Site(MAYFLY_POOL="2")), environment))
    keyed = stack.enter_context(pool.Site(MAYFLY_POOL="2", API_KEYS="bench:bench:1000000:1000000"))
    rows[RUN] = measure.Job(keyed)
    rows[RECORDED] = measure.Post(keyed, "/v1/runs", {"language": "python", "code": measure.CODE["python"]}, rb'"stdout":"(1)\\n"',
                                  ["Authorization: Bearer bench"])
    return rows, [bare, with_kernel, keyed]


def sandbox_rows(server, environment):
    """A cell of a live session; and a program that imports pandas, which its kernel has imported already."""
    made = json.loads(server.request("POST", "/session/create", {"tenant_id": "bench", "scope": "bench"}).body)
    session = {"session_id": made["session_id"]}
    server.request("POST", "/session/execute", {**session, "code": "x = 0"})
    rows = {CELL: measure.Post(server, "/session/execute", {**session, "code": "x += 1; print(x)"}, rb'"exit_code":0,"stdout":"(\d+)')}
    if subprocess.run([PYTHON[0], "-c", "import pandas"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
        rows[PANDAS_HOST] = measure.Command([PYTHON[0], "-c", PANDAS], environment)
        rows[PANDAS_KERNEL] = measure.Post(server, "/execute", {"tenant_id": "bench", "scope": "bench", "template": "python-data",
                                                                "code": PANDAS}, rb'"exit_code":0,"stdout":"(1)')
    return rows


def about_the_host(command):
    version = subprocess.run([command[0], "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return {"kernel": platform.release(), "machine": platform.machine(), "processors": os.cpu_count(), "podman": version,
            "load": os.getloadavg()[0], "command": " ".join(command)}


def show_side_by_side(result):
    say(f"\n{'the same one-liner, ms':<34}{'p50':>9}{'p95':>9}")
    for name, times in result["side_by_side"].items():
        say(f"  {name:<32}{times['p50']:>9.1f}{times['p95']:>9.1f}")
    say("\nratios of the medians")
    for above, below, target in RATIOS:
        if above not in result["side_by_side"]:
            continue
        ratio = result["side_by_side"][above]["p50"] / result["side_by_side"][below]["p50"]
        say(f"  {above + ' / ' + below:<52}{ratio:>6.2f}" + (f"   target ≤ {target:.2f}" if target else ""))
    warm = result["side_by_side"][KERNEL]
    say(f"  {KERNEL + ': p95 / p50':<52}{warm['p95'] / warm['p50']:>6.2f}   target ≤ {P95_TARGET:.2f}")
    more_ms = result["side_by_side"][RECORDED]["p50"] - result["side_by_side"][RUN]["p50"]
    say(f"  {RECORDED + ' - ' + RUN + ', ms':<52}{more_ms:>6.2f}   target ≤ {RECORDED_TARGET_MS:.2f}")
    say(f"\n{'everything but engine and program, ms':<60}{'p50':>9}{'p95':>9}")
    for row, found in result["overhead"].items():
        for name, label, target in (("in_mayfly", "its start to its answer", f"   target ≤ {OVERHEAD_TARGET_MS}"),
                                    ("for_the_client", "connect to the last byte", "")):
            say(f"  {row + ': ' + label:<58}{found[name]['p50']:>9.1f}{found[name]['p95']:>9.1f}{target}")


def show_rest(result):
    say(f"\n{'where the time of a cold job goes, ms':<42}{'p50':>9}{'p95':>9}")
    for name, times in result["phases"].items():
        say(f"  {name:<40}{times['p50']:>9.1f}{times['p95']:>9.1f}")
    say(f"\n{'jobs at a time':<18}{'':<18}{'jobs/s':>9}{'p50 ms':>9}{'p95 ms':>9}")
    for level in result["throughput"][COLD]:
        podman, cold = (result["throughput"][name][level] for name in (PODMAN, COLD))
        for name, found, ratio in ((PODMAN, podman, ""), (COLD, cold, f"   {cold['jobs_per_s'] / podman['jobs_per_s']:.2f} × podman's rate")):
            say(f"  {level:<16}{name:<18}{found['jobs_per_s']:>9.1f}{found['p50']:>9.0f}{found['p95']:>9.0f}{ratio}")
    say(f"{'':<18}target at {SOAK_CONCURRENCY}: ≥ {RATE_TARGET} × podman's rate")
    soak = result["soak"]
    say(f"\n{soak['seconds']:.0f} s without a pause, {SOAK_CONCURRENCY} at a time: {soak['right']} jobs, {soak['jobs_per_s']:.1f} a second; "
        f"{soak.get('refused', 0)} refused as busy, {soak['wrong']} wrong; {soak['claims']} found a pooled container, {soak['misses']} did not; "
        f"left: {soak['left'] or 'nothing'}")
    request = result["request"]
    say("\nmayfly, one request up to the engine call")
    say(f"  instructions in user space, linker included {request['instructions_up_to_engine_call']:>12,}")
    say(f"  processor time, with a refusal, ms     {request['cpu_ms']['p50']:>9.2f}{request['cpu_ms']['p95']:>9.2f}")
    say(f"\n{'memory while a job runs, KiB':<30}{'RSS':>9}{'PSS':>9}{'private':>9}   libcurl")
    for name, used in result["memory"].items():
        if used:
            say(f"  {name:<28}{used['rss_kib']:>9}{used['pss_kib']:>9}{used['private_kib']:>9}   {'mapped' if used['libcurl'] else 'no'}"
                + (f"      target ≤ {RSS_TARGET_KIB}, no" if name == "mayfly" else ""))
    say(f"\nleft when idle: {result['idle'] or 'nothing'}      target: nothing")


def run(arguments, tap, environment):
    result = {}
    with harness.Server(DOCKER_SOCKET_PATH=tap.path, MAYFLY_POOL="0") as server:
        say("phases of a cold job")
        result["phases"] = measure_phases(tap, server, arguments.rounds // 2)
        tap.take()
        measure.Job(server).run()
        measure.settle(server)
        command = engine.run_command(engine.create_request(tap.take()), ["python3", *PYTHON[1:]])
    result["host"] = about_the_host(command)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(harness.Server(MAYFLY_POOL="0"))
        servers = [server]
        rows = {HOST: measure.Command(PYTHON, environment), PODMAN: measure.Command(command, environment), COLD: measure.Job(server)}
        more_rows, more_servers = pool_rows(stack, environment)
        rows.update(more_rows)
        servers += more_servers
        say(f"{len(rows)} rows, {arguments.rounds} rounds")
        times, jobs = {}, {}
        for group in GROUPS:
            found = measure_side_by_side({name: row for name, row in rows.items() if name in group}, servers, arguments.rounds)
            times.update(found[0])
            jobs.update(found[1])
        result["times_ms"] = times
        result["logged_us"] = {name: [log for _, _, log in done] for name, done in jobs.items()}
        result["side_by_side"] = {name: measure.summary(values) for name, values in times.items()}
        result["overhead"] = {name: overhead(done) for name, done in jobs.items()}
        say(f"concurrency {', '.join(map(str, arguments.levels))}: {arguments.jobs} jobs each")
        result["throughput"] = measure_throughput({PODMAN: rows[PODMAN], COLD: rows[COLD]}, server, arguments.jobs, arguments.levels)
        say("memory")
        result["memory"] = measure_memory(server)
        result["idle"] = server.leaks()
    say(f"{arguments.soak} s without a pause")
    result["soak"] = measure_soak(arguments.soak)
    say("instructions, one by one")
    result["request"] = measure_request(arguments.rounds)
    return result


def main():
    parser = argparse.ArgumentParser(description="What a job costs.")
    parser.add_argument("--rounds", type=int, default=40, help="of the side-by-side measurement (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=48, help="at each level of concurrency (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a look: 10 rounds, 16 jobs, concurrency 1 and 8, 10 s")
    parser.add_argument("--soak", type=int, default=60, metavar="S", help="seconds of jobs without a pause (default %(default)s)")
    arguments = parser.parse_args()
    arguments.levels = CONCURRENCY
    if arguments.quick:
        arguments.rounds, arguments.jobs, arguments.levels, arguments.soak = 10, 16, (1, 8), 10
    path = harness.podman_socket()
    engine.enter_namespace(path)
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as folder:
        tap = engine.Tap(os.path.join(folder, "tap.sock"), path)
        result = run(arguments, tap, engine.environment(path))
        tap.close()
    show_side_by_side(result)
    show_rest(result)
    with open(os.path.join(harness.BUILD, "bench.json"), "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    chart.write(os.path.join(harness.BUILD, "bench.svg"), "One line of Python (node: of JavaScript), start to answer",
                [(name, times["p50"], times["p95"]) for name, times in result["side_by_side"].items()])
    say(f"\nwritten: {os.path.relpath(harness.BUILD)}/bench.json, bench.svg")
    sys.exit(1 if result["idle"] or result["soak"]["left"] or result["soak"]["wrong"] else 0)


if __name__ == "__main__":
    main()
