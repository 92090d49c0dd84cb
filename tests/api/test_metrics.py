"""GET /metrics and GET /metrics/prometheus (src/api/system/README.md): every job of every API counted once, by a real parser of Prometheus' format."""
import collections
import concurrent.futures
import fcntl
import json
import os
import re
import socket
import unittest

from prometheus_client.parser import text_string_to_metric_families

import harness
import pool

SESSION_FIELDS = ["sessions_created", "sessions_reused", "sessions_destroyed", "sessions_expired", "errors", "active_sessions", "max_sessions",
                  "default_ttl"]
LABELS = ("family", "language", "template")


def metrics(server, **headers):
    reply = server.request("GET", "/metrics", headers=headers)
    assert reply.status == 200, (reply, server.logs()[-2000:])
    body = json.loads(reply.body)
    assert body["status"] == "success", body
    return body["metrics"]


def exposition(text):
    """The samples of an exposition, {name: {labels: value}}, after checks that the parser leaves out."""
    samples, families = {}, []
    for family in text_string_to_metric_families(text):
        families.append(family.name)
        assert family.documentation and family.type in ("counter", "gauge", "histogram"), family
        for sample in family.samples:
            assert re.fullmatch("mayfly_[a-z_]+", sample.name), sample
            assert (family.type == "counter") == sample.name.endswith("_total"), sample
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in samples.setdefault(sample.name, {}), f"{sample} is there twice"
            assert sample.value >= 0, sample
            samples[sample.name][labels] = sample.value
    assert len(families) == len(set(families)), families
    # each family begins with one HELP and one TYPE, in that order, and its lines follow at once
    assert text.endswith("\n") and "\n\n" not in text
    named = re.findall(r"(?m)^# (HELP|TYPE) (\S+) ", text)
    assert [kind for kind, _ in named] == ["HELP", "TYPE"] * len(families), named
    return samples


def check_histogram(samples, name):
    series = collections.defaultdict(list)
    for labels, value in samples[name + "_bucket"].items():
        labels = dict(labels)
        bound = labels.pop("le")
        series[tuple(sorted(labels.items()))].append((float(bound.replace("+Inf", "inf")), value))
    for labels, buckets in series.items():
        buckets.sort()
        counts = [value for _, value in buckets]
        assert counts == sorted(counts), (labels, buckets)
        assert buckets[-1] == (float("inf"), samples[name + "_count"][labels]), (labels, buckets)
        assert labels in samples[name + "_sum"], labels
    return series


class MetricsTest(harness.ServerTest):
    environment = {"MAX_CONCURRENT_RUNS": "4"}

    def jobs(self):
        """{(family, language, template, outcome): jobs}, those that there are."""
        return collections.Counter({
            (*(series[label] for label in LABELS), outcome): number
            for series in metrics(self.server)["jobs"] for outcome, number in series["outcomes"].items() if number})

    def grown(self, before, jobs):
        """What became of so many jobs, once all of them are counted: that is after their answers."""
        def now():
            grown = self.jobs()
            grown.subtract(before)
            found.clear()
            found.update(+grown)
            return sum(found.values()) >= jobs
        found = {}
        harness.until(now, f"{jobs} jobs counted")
        harness.until(lambda: not self.server.processes(), "all processes ended")
        now()
        return found

    def run_code(self, language, code, **more):
        reply = self.server.request("POST", "/v1/runs", {"language": language, "code": code, **more})
        self.assertEqual(reply.status, 200, reply)
        return json.loads(reply.body)

    def test_fields(self):
        found = metrics(self.server)
        self.assertEqual(list(found)[:8], SESSION_FIELDS)
        self.assertEqual((found["max_sessions"], found["default_ttl"]), (10, 300))
        self.assertEqual((found["slots"]["total"], found["slots"]["running"], found["slots"]["waiting"]), (4, 0, 0))

    def test_head(self):
        for path in ("/metrics", "/metrics/prometheus"):
            reply = self.server.request("HEAD", path)
            self.assertEqual((reply.status, reply.body), (200, b""))

    def test_every_outcome_of_every_family(self):
        before = self.jobs()
        self.server.execute("exit 0")
        self.server.execute("exit 3")
        self.server.execute("kill -9 $$")
        self.server.execute("sleep 60", timeout=1)
        self.server.execute("print(1)", language="python")
        self.server.request("POST", "/run", {"sessionId": "s", "code": "echo 1"})
        self.run_code("python", "print(1)")
        self.run_code("python", "x = b'x' * (1 << 30); print(len(x))", limits={"memory_mb": 64})
        self.run_code("node", "while (true) {}", limits={"cpu_ms": 100, "timeout_ms": 10000})
        self.run_code("php", "<?php sleep(60);", limits={"timeout_ms": 1000})
        program = {"tenant_id": "t", "scope": "s", "code": "print(1)"}
        self.assertEqual(self.server.request("POST", "/execute", program).status, 200)
        self.assertEqual(self.server.request("POST", "/execute", {"tenant_id": "t", "scope": "s", "cells": ["x = 1", "print(x)"]}).status, 200)
        session = json.loads(self.server.request("POST", "/session/create", {"tenant_id": "t", "scope": "s"}).body)["session_id"]
        for _ in range(2):
            self.assertEqual(self.server.request("POST", "/session/execute", {"session_id": session, "code": "exit 1", "language": "bash"}).status, 200)
        self.assertEqual(self.server.request("POST", "/session/destroy", {"session_id": session}).status, 200)
        agent = {"frontend": {"html": "<html></html>", "css": "a{}", "javascript": "let answer = 1;"}, "test": "console.log(1)"}
        self.assertEqual(self.server.request("POST", "/api/v1/ai/agents/shop/auto-run", agent).status, 200)
        self.assertEqual(self.server.request("POST", "/validate", {"language": "node", "files": {"a.js": "let a"}}).status, 200)
        self.assertEqual(self.grown(before, 16), {
            ("B", "python", "default", "succeeded"): 2, ("B", "bash", "default", "failed"): 2,
            ("D", "node", "agent", "succeeded"): 1, ("D", "node", "check", "succeeded"): 1,
            ("A", "bash", "tool", "succeeded"): 2, ("A", "bash", "tool", "failed"): 2, ("A", "bash", "tool", "timeout"): 1,
            ("A", "python", "tool", "succeeded"): 1, ("C", "python", "interpreter-python", "succeeded"): 1,
            ("C", "python", "interpreter-python", "oom"): 1, ("C", "node", "interpreter-node", "cpu"): 1,
            ("C", "php", "interpreter-php", "timeout"): 1})

    def test_refused_requests_are_no_jobs(self):
        before = self.jobs()
        self.assertEqual(self.server.request("POST", "/run", {"sessionId": "", "code": ""}).status, 400)
        self.assertEqual(self.server.request("POST", "/tools/execute", {"tool": "no", "sessionId": "s"}).status, 400)
        self.assertEqual(self.server.request("POST", "/v1/runs", {"language": "cobol", "code": "x"}).status, 400)
        self.assertEqual(self.server.request("GET", "/nothing").status, 404)
        self.server.execute("true")
        self.assertEqual(self.grown(before, 1), {("A", "bash", "tool", "succeeded"): 1})

    def test_client_that_hangs_up(self):
        before = self.jobs()
        body = json.dumps({"sessionId": "s", "code": "sleep 300", "timeout": 300}).encode()
        with self.server.connect() as connection:
            connection.sendall(b"POST /run HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
                len(body), body))
            harness.until(lambda: metrics(self.server)["slots"]["running"] == 1, "the job has its slot")
            harness.until(lambda: self.server.podman.containers(self.server.instance), "the job runs")
            connection.shutdown(socket.SHUT_RDWR)
        self.assertEqual(self.grown(before, 1), {("A", "bash", "tool", "cancelled"): 1})

    def test_running_and_waiting_slots(self):
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            replies = [pool.submit(self.server.execute, "sleep 2") for _ in range(6)]
            seen = harness.until(lambda: (lambda slots: slots if slots["waiting"] == 2 else None)(metrics(self.server)["slots"]), "two wait")
            self.assertEqual(seen["running"], 4)
            self.assertEqual([reply.result()["exitCode"] for reply in replies], [0] * 6)
        harness.until(lambda: metrics(self.server)["slots"]["running"] == 0, "all slots free")
        self.assertGreater(metrics(self.server)["slots"]["wait_seconds"], 1)

    def test_many_at_once_are_all_counted(self):
        before = self.jobs()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(lambda number: self.server.execute(f"exit {number % 2}"), range(32)))
        self.assertEqual(len(replies), 32)
        self.assertEqual(self.grown(before, 32), {("A", "bash", "tool", "succeeded"): 16, ("A", "bash", "tool", "failed"): 16})

    def test_engine_errors(self):
        before = metrics(self.server)["engine_errors"]
        child = pool.Child(self.server, pool.request("true"), **pool.NO_ENGINE)
        self.assertEqual(child.answer()[0], 500)
        child.finish()
        after = metrics(self.server)["engine_errors"]
        self.assertEqual({word: after[word] - before[word] for word in after if after[word] != before[word]}, {"engine_unreachable": 1})
        found = {tuple(series[label] for label in LABELS): series["outcomes"]["error"] for series in metrics(self.server)["jobs"]}
        self.assertEqual(found["A", "bash", "tool"], 1)

    def test_prometheus(self):
        """What JSON says and what Prometheus reads are the same."""
        self.server.execute("true")
        self.run_code("ruby", "puts 1")
        harness.until(lambda: not self.server.processes(), "all processes ended")
        reply = self.server.request("GET", "/metrics/prometheus")
        self.assertEqual((reply.status, reply.headers["content-type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        samples = exposition(reply.body.decode())
        durations = check_histogram(samples, "mayfly_job_duration_seconds")
        self.assertEqual(check_histogram(samples, "mayfly_job_program_seconds").keys(), durations.keys())
        expected = metrics(self.server)
        self.assertEqual(sum(samples["mayfly_jobs_total"].values()), expected["jobs_total"])
        for series in expected["jobs"]:
            labels = tuple((label, series[label]) for label in LABELS)
            for outcome, number in series["outcomes"].items():
                self.assertEqual(samples["mayfly_jobs_total"][tuple(sorted((*labels, ("outcome", outcome))))], number)
            self.assertEqual(samples["mayfly_job_duration_seconds_count"][labels], sum(series["outcomes"].values()))
            self.assertEqual(series["duration_seconds"]["count"], sum(series["outcomes"].values()))
            self.assertEqual(sorted(value for value in series["duration_seconds"]["buckets"].values()), [count for _, count in durations[labels]])
        for name, field in (("sessions_created_total", "sessions_created"), ("sessions_active", "active_sessions"), ("sessions_max", "max_sessions"),
                            ("session_errors_total", "errors")):
            self.assertEqual(samples["mayfly_" + name][()], expected[field])
        self.assertEqual({dict(labels)["code"]: value for labels, value in samples["mayfly_engine_errors_total"].items()}, expected["engine_errors"])

    def test_damaged_file_is_counted_over(self):
        path = os.path.join(self.server.run, "metrics-2")
        self.server.execute("true")
        harness.until(lambda: not self.server.processes(), "all processes ended")
        with open(path, "r+b") as file:
            file.truncate(700)
            file.seek(5)
            file.write(os.urandom(100))
        before = self.jobs()
        exposition(self.server.request("GET", "/metrics/prometheus").body.decode())
        self.server.execute("true")
        self.assertEqual(self.grown(before, 1), {("A", "bash", "tool", "succeeded"): 1})


class SlowCounting(harness.ServerTest):
    """Rule 4 of store/metrics.h."""

    def test_nobody_waits_for_the_count(self):
        """With the file locked by somebody who keeps it, a job is answered, and counted when the lock is free."""
        self.server.execute("true")
        harness.until(lambda: not self.server.processes(), "all processes ended")
        before = metrics(self.server)["jobs_total"]
        with open(os.path.join(self.server.run, "metrics-2"), "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            self.assertEqual(self.server.execute("true")["exitCode"], 0)
            self.assertTrue(self.server.processes(), "the count waits for the lock")
        harness.until(lambda: not self.server.processes(), "all processes ended")
        self.assertEqual(metrics(self.server)["jobs_total"], before + 1)

    def test_a_stopped_counter_stops_nobody(self):
        """Who never gets the lock gives up: containers are removed, jobs answered, and reading says what is the matter."""
        self.server.execute("true")
        harness.until(lambda: not self.server.processes(), "all processes ended")
        with open(os.path.join(self.server.run, "metrics-2"), "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            self.assertEqual(self.server.execute("true")["exitCode"], 0)
            harness.until(lambda: not self.server.processes(), "all processes ended")
            reply = self.server.request("GET", "/metrics")
            self.assertEqual((reply.status, json.loads(reply.body)["status"]), (500, "error"))


class Access(unittest.TestCase):
    def test_executor_key(self):
        with harness.Server(engine=False, EXECUTOR_API_KEY="k3y") as server:
            for path in ("/metrics", "/metrics/prometheus"):
                for headers in ({}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer k3y"}):
                    reply = server.request("GET", path, headers=headers)
                    self.assertEqual(reply.status, 401, reply)
                    self.assertIn(b"Unauthorized", reply.body)
                self.assertEqual(server.request("GET", path, headers={"X-API-Key": "k3y"}).status, 200)

    def test_without_a_key_only_loopback(self):
        with harness.Server(engine=False, BIND="192.0.2.7") as server:
            self.assertEqual(server.request("GET", "/metrics", headers={"Host": "192.0.2.7"}).status, 403)
        with harness.Server(engine=False) as server:
            self.assertEqual(server.request("GET", "/metrics", headers={"Origin": "http://evil.example"}).status, 403)
            self.assertEqual(server.request("POST", "/metrics", {}).status, 405)


if __name__ == "__main__":
    harness.main()
