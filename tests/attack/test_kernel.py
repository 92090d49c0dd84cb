"""Row C of tests/attack/README.md: the kernel's surface. One job (programs/kernel.py) tries every call; a test is one act."""
import attack
import harness

REFUSED = {"EPERM", "ENOSYS"}


class Kernel(attack.ProbeTest):
    program = "kernel.py"

    def assert_refused(self, row, allowed=REFUSED):
        found = self.found[row]
        answers = found if isinstance(found, dict) else {row: found}
        self.assertTrue(answers)
        self.assertEqual({name: answer for name, answer in answers.items() if answer not in allowed}, {})

    def test_unshare_is_refused_for_every_namespace(self):
        self.assertEqual(set(self.found["unshare"].values()), {"EPERM"})
        self.assertEqual(len(self.found["unshare"]), 8)

    def test_setns_is_refused(self):
        self.assertGreaterEqual(len(self.found["setns"]), 7)
        self.assert_refused("setns", {"EPERM"})

    def test_clone_with_a_new_namespace_is_refused(self):
        self.assert_refused("clone", {"EPERM"})
        self.assertEqual(self.found["clone without"], "done", "the probe itself works")

    def test_clone3_says_enosys(self):
        self.assertEqual(self.found["clone3"], "ENOSYS")

    def test_bpf_is_refused(self):
        self.assert_refused("bpf")

    def test_perf_event_open_is_refused(self):
        self.assert_refused("perf_event_open")

    def test_userfaultfd_is_refused(self):
        self.assert_refused("userfaultfd")

    def test_io_uring_is_refused(self):
        self.assert_refused("io_uring")

    def test_keys_are_refused(self):
        self.assert_refused("keys")

    def test_ptrace_is_refused(self):
        self.assert_refused("ptrace")

    def test_process_vm_is_refused(self):
        self.assert_refused("process_vm")

    def test_kexec_is_refused(self):
        self.assert_refused("kexec")

    def test_modules_are_refused(self):
        self.assert_refused("modules")

    def test_file_handles_are_refused(self):
        self.assert_refused("handles")

    def test_pidfd_getfd_is_refused(self):
        self.assert_refused("pidfd_getfd")

    def test_other_privileged_calls_are_refused(self):
        self.assertGreater(len(self.found["others"]), 15)
        self.assert_refused("others")

    def test_only_unix_and_inet_sockets_exist(self):
        sockets = {int(family): set(answers) for family, answers in self.found["sockets"].items()}
        self.assertEqual(set(range(51)) - set(sockets), set())
        self.assertEqual({family for family, answers in sockets.items() if "done" in answers}, {1, 2, 10})
        others = {family: answers for family, answers in sockets.items() if family not in (1, 2, 10)}
        self.assertEqual({family: answers for family, answers in others.items() if not answers <= {"EAFNOSUPPORT", "EPERM", "ENOSYS"}}, {})

    def test_raw_icmp_and_odd_protocols_are_refused(self):
        self.assert_refused("raw sockets", REFUSED | {"EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "EAFNOSUPPORT", "EACCES"})

    def test_netlink_is_refused(self):
        self.assert_refused("netlink", REFUSED | {"EAFNOSUPPORT"})

    def test_socket_pairs_are_unix_only(self):
        self.assertEqual(self.found["socketpair"].pop("1"), "done")
        self.assert_refused("socketpair", REFUSED | {"EAFNOSUPPORT", "EOPNOTSUPP"})

    def test_the_upper_half_of_an_argument_deceives_nobody(self):
        self.assert_refused("upper bits", REFUSED | {"EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT"})

    def assert_code_refused(self, name):
        """Refused: ended by a signal, or an errno. A pid (small and positive) or a descriptor is what a call that worked would give."""
        answer = self.found["code"][name]
        self.assertTrue(answer.startswith("signal ") or int(answer) < 0, answer)

    def test_machine_code_runs_in_the_probe(self):
        self.assertGreater(int(self.found["code"]["getpid 64"]), 1)

    def test_32_bit_calls_are_refused(self):
        for name in ("getpid 32", "socket 32", "socketcall 32"):
            self.assert_code_refused(name)

    def test_x32_calls_are_refused(self):
        for name in ("getpid x32", "ptrace x32"):
            self.assert_code_refused(name)

    def test_ports_are_out_of_reach(self):
        self.assertTrue(self.found["iopl by code"].startswith("signal "))

    def test_no_capability_no_new_privileges_seccomp_on(self):
        status = self.found["status"]
        self.assertEqual({key: int(status[key], 16) for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")},
                         dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0))
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        self.assertEqual(set(status["Uid"].split() + status["Gid"].split()), {"10001"})

    def test_only_descriptors_0_1_2_are_open(self):
        self.assertEqual(self.found["fds"], [0, 1, 2])
        targets = self.found["fd targets"]
        self.assertEqual(targets["0"], "/dev/null")
        self.assertTrue(targets["1"].startswith("pipe:") and targets["2"].startswith("pipe:"), targets)

    def test_limits_of_init_cannot_be_changed(self):
        self.assert_refused("prlimit of init")

    def test_signals_do_not_end_or_stop_init(self):
        self.assertEqual(set(self.found["signals to init"].values()) | {self.found["pidfd signal to init"]}, {"done"},
                         "sent, and the kernel drops them: the job went on to say so")

    def test_limits_cannot_be_raised(self):
        self.assert_refused("raise a limit", {"EPERM", "EINVAL", "ValueError"})

    def test_nobody_else_can_be_become(self):
        self.assert_refused("become", {"EPERM", "EACCES"})

    def test_init_cannot_be_looked_into(self):
        self.assert_refused("init in proc", {"EACCES", "EPERM", "ENOENT"})

    def test_the_oom_killer_cannot_be_steered(self):
        self.assert_refused("oom_score_adj", {"EACCES", "EPERM"})

    def test_input_cannot_be_pushed_into_a_terminal(self):
        self.assertIn(self.found["TIOCSTI"], REFUSED | {"EACCES", "EIO"})


class WarmKernel(Kernel):
    """The same for a job that claims a pooled container."""
    is_warm = True


if __name__ == "__main__":
    harness.main()
