#!/usr/bin/env python3
"""What a job costs, measured: prints a table, and writes build/bench.json and build/bench.svg.

    bench.py [--rounds N] [--jobs N] [--quick]

Rules:
 1. Whatever is compared is measured in one run, in turns (A B C A B C …), so that a machine's drift hits all alike.
 2. No time makes it fail: targets are printed beside what was measured. What does not work, or is left behind, does.
 3. Only mayfly, Podman and the host are compared: same code, same image, same flags (engine.py, rule 1).
"""
import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import chart
import engine
import harness
import measure

PYTHON = ["/usr/bin/python3", "-c", measure.CODE]
HOST, PODMAN, COLD = "python3 on the host", "podman run --rm", "mayfly, cold"
CONCURRENCY = (1, 2, 4, 8)

# What is divided by what, and where it is to land: the numbers.
RATIOS = (
    (COLD, PODMAN, 0.70),
    (COLD, HOST, None),
    (PODMAN, HOST, None),
)
OVERHEAD_TARGET_MS = 5
RSS_TARGET_KIB = 2048


def say(text=""):
    print(text, flush=True)


def measure_side_by_side(rows, server, rounds):
    """Times of every row in ms, and what mayfly logged for its jobs in µs."""
    times = {name: [] for name in rows}
    jobs = []
    for run in rows.values():  # what is read for the first time
        run.run()
        measure.settle(server)
    for _ in range(rounds):
        for name, run in rows.items():
            times[name].append(run.run())
            if isinstance(run, measure.Job):
                jobs.append(run.last)
            measure.settle(server)
    logged = measure.log_times(server)
    return times, [(started, ended, logged[job]) for started, ended, job in jobs]


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
        cpu_ms, whole = [], 0
        try:
            whole = steps.run([program], server.environment, request_socket(request).fileno())
            for _ in range(rounds):
                standard_input = request_socket(request)
                pid = os.posix_spawn(program, [program], server.environment, file_actions=[
                    (os.POSIX_SPAWN_DUP2, standard_input.fileno(), 0), (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])
                status, used = os.wait4(pid, 0)[1:]
                assert status == 0, status
                cpu_ms.append((used.ru_utime + used.ru_stime) * 1e3)
                standard_input.close()
        finally:
            stand_in.close()
    return {"instructions_up_to_engine_call": up_to_engine[0], "instructions": whole, "cpu_ms": measure.summary(cpu_ms)}


def request_socket(request):
    """A connection on which the request has been sent; its other end stays open as long as the socket does."""
    ours, theirs = harness.socket.socketpair()
    ours.sendall(request)
    theirs.other_end = ours
    return theirs
