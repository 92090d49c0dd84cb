"""Row B of tests/attack/README.md: files, and what outlives a job. One job (programs/files.py) tries all of it; a test is one act."""
import os
import threading

import attack
import harness

SECRET = "secret-" + os.urandom(8).hex()


class Files(attack.ProbeTest):
    program = "files.py"

    @classmethod
    def replacements(cls):
        cls.canary = os.path.join(cls.server.folder, "canary")
        with open(cls.canary, "w", encoding="ascii") as file:
            file.write(SECRET)
        paths = [harness.ROOT, cls.canary, cls.server.folder, cls.server.storage, cls.server.run, "/var/lib/containers", "/run/containers",
                 "/run/podman", "/run/user", "/proc/1/root/etc", "/host", os.path.expanduser("~/.ssh"), os.path.expanduser("~/.bashrc")]
        return {"HOST_PATHS": repr(paths), "STORAGE_WORDS": repr([cls.server.storage]), "SECRET": repr(SECRET)}

    @classmethod
    def setUpClass(cls):
        # another job, which has a secret and is there while this one looks
        other = harness.Server()
        cls.addClassCleanup(other.close)
        results = []
        code = f"echo {SECRET} > secret; cp secret /tmp/; cp secret /dev/shm/; echo ready; sleep 4"
        job = threading.Thread(target=lambda: results.append(other.execute(code)))
        job.start()
        harness.until(lambda: [c for c in other.podman.containers(other.instance) if c["State"] == "running"], "the other job runs")
        super().setUpClass()
        job.join()
        cls.other = results[0]

    def test_the_other_job_noticed_nothing(self):
        self.assertEqual((self.other["exitCode"], self.other["stdout"], set(self.other["artifacts"]["outputs"])),
                         (0, "ready\n", {"secret", "stdout", "stderr"}))

    def test_the_root_and_its_folders_are_read_only(self):
        created = self.found["create"]
        for folder in ("/", "/usr", "/usr/bin", "/usr/lib", "/etc", "/bin", "/lib", "/home", "/var", "/opt", "/var/tmp", "/run"):
            self.assertEqual(created[folder], "EROFS", folder)
        self.assertEqual({folder: answer for folder, answer in created.items() if answer not in ("EROFS", "EACCES", "ENOENT", "EPERM")}, {})

    def test_no_file_of_the_system_can_be_overwritten(self):
        self.assertGreater(len(self.found["overwrite"]), 3)
        self.assertEqual(set(self.found["overwrite"].values()) - {"EROFS", "EACCES", "ETXTBSY"}, set())
        self.assertEqual(self.found["writable files"], [])
        self.assertEqual(self.found["remount"], "EPERM")

    def test_only_the_jobs_own_tmpfs_is_writable(self):
        # /sys/fs/cgroup: under cgroup v1 the runtime mounts a tmpfs of 1 MiB there (see the disk fill in section A)
        self.assertEqual(set(self.found["writable folders"]) - {"/workspace", "/tmp", "/dev/shm", "/dev/mqueue", "/sys/fs/cgroup"}, set())

    def test_the_control_folder_is_sealed(self):
        control = self.found["control"]
        for attempt in ("create", "unlink", "rename", "chmod folder", "symlink", "xattr of the folder"):
            self.assertIn(control[attempt], ("EACCES", "EPERM", "EROFS"), attempt)

    def test_host_paths_are_absent(self):
        self.assertEqual([path for path, is_there in self.found["host paths"].items() if is_there], [])
        self.assertEqual(self.found["storage path in mounts"], [])
        with open(self.canary, encoding="ascii") as file:
            self.assertEqual(file.read(), SECRET)

    def test_files_of_other_jobs_are_absent(self):
        self.assertEqual(self.found["secrets of others"], [])

    def test_no_program_in_the_image_is_setuid_or_has_capabilities(self):
        self.assertEqual(self.found["setuid programs"], {})

    def test_a_setuid_program_of_its_own_has_no_effect(self):
        self.assertEqual(self.found["own setuid program"], [[10001] * 3, [10001] * 3])
        self.assertEqual(self.found["chown to root"], "EPERM")

    def test_file_capabilities_cannot_be_set(self):
        self.assertEqual(self.found["set file capability"], "EPERM")

    def test_su_and_its_kin_have_no_effect(self):
        self.assertNotIn("0\n", self.found["su"].get("su", ""))
        for text in self.found["su"].values():
            self.assertRegex(text, "(?i)fail|must be|denied|not permitted|terminal|cannot")

    def test_tmp_is_not_for_running(self):
        self.assertEqual(self.found["run from /tmp"], "EACCES")

    def test_mknod_is_refused(self):
        self.assertEqual(set(self.found["mknod"].values()), {"EPERM"})

    def test_mount_is_refused(self):
        self.assertEqual(set(self.found["mount"].values()) - {"EPERM", "ENOSYS"}, set())

    def test_chroot_is_refused(self):
        self.assertEqual(self.found["chroot"], "EPERM")

    def test_pivot_root_is_refused(self):
        self.assertEqual(self.found["pivot_root"], "EPERM")

    def test_proc_sys_sysrq_and_core_pattern_are_read_only(self):
        self.assertIn("/proc/sys/kernel/core_pattern", self.found["kernel settings"])
        self.assertEqual({path: answer for path, answer in self.found["kernel settings"].items() if answer not in ("EROFS", "EACCES", "EPERM")}, {})

    def test_release_agent_and_cgroups_are_read_only(self):
        self.assertEqual({path: answer for path, answer in self.found["release_agent"].items() if answer not in ("EROFS", "EACCES", "EPERM")}, {})
        made = {path for path, answer in self.found["new cgroup"].items() if answer not in ("EROFS", "EACCES", "EPERM")}
        self.assertEqual(made - {"/sys/fs/cgroup"}, set(), "a folder in that tmpfs is no cgroup")

    def test_kcore_keys_and_timers_are_masked(self):
        self.assertEqual({path: text for path, text in self.found["masked"].items() if text}, {})
        self.assertEqual({path: names for path, names in self.found["masked folders"].items() if names}, {})

    def test_the_kernels_own_file_systems_are_absent(self):
        self.assertEqual([path for path, is_there in self.found["debugfs"].items() if is_there], [])

    def test_only_harmless_devices_exist(self):
        self.assertEqual(set(self.found["devices"]) - {"full", "null", "random", "tty", "urandom", "zero", "console", "ptmx"}, set())

    def test_the_kernels_log_is_closed(self):
        self.assertEqual(self.found["dmesg"], "EPERM")


class WarmFiles(Files):
    """The same for a job that claims a pooled container."""
    is_warm = True


class Leftovers(attack.AttackTest):
    def test_files_dotfiles_cron_and_packages_are_not_there_for_the_next_job(self):
        mark = "mark" + os.urandom(6).hex()
        left = self.attack(attack.program("leave.sh").replace("MARK", mark), "bash", session="same")
        self.assertEqual(left["exitCode"], 0, left)
        self.assertIn("left-" + mark, left["artifacts"]["outputs"], "it could leave something")
        found = self.attack(attack.program("find.sh").replace("MARK", mark), "bash", session="same")
        self.assertEqual((found["exitCode"], found.get("stdout"), found.get("stderr")), (0, None, None))

    def test_a_process_left_behind_is_dead(self):
        mark = "mark" + os.urandom(6).hex()
        self.attack(f"for i in 1 2 3; do (setsid nohup bash -c 'exec -a {mark} sleep 1000' > /dev/null 2>&1 &); done", "bash")

        def command_line(pid):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    return file.read()
            except OSError:
                return b""
        self.assertEqual([pid for pid in os.listdir("/proc") if pid.isdigit() and mark.encode() in command_line(pid)], [])


if __name__ == "__main__":
    harness.main()
