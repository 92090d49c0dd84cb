"""Row D of tests/attack/README.md: the network. One job (programs/network.py) tries every way out; a test is one act."""
import os
import socket
import threading

import attack
import harness

NO_WAY = {"ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "EPERM", "EACCES", "EAFNOSUPPORT", "ENOSYS"}


class Network(attack.ProbeTest):
    program = "network.py"

    @classmethod
    def replacements(cls):
        # services of the host's loopback, and one with an abstract name: each would take the connection
        cls.abstract = "mayfly-attack-" + os.urandom(6).hex()
        cls.listeners = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)]
        cls.listeners[1].bind("\0" + cls.abstract)
        cls.listeners[1].listen()
        cls.reached = []
        for listener in cls.listeners:
            threading.Thread(target=cls.accept, args=(listener,), daemon=True).start()
            cls.addClassCleanup(listener.close)
        return {"HOST_PORT": str(cls.listeners[0].getsockname()[1]), "HOST_ABSTRACT": cls.abstract, "HOSTNAME_OF_HOST": socket.gethostname(),
                "ENGINE_SOCKETS": repr([cls.server.podman.socket, os.path.join(cls.server.run, "engine.sock")])}

    @classmethod
    def accept(cls, listener):
        try:
            while True:
                connection, _ = listener.accept()
                cls.reached.append(listener.family)
                connection.close()
        except OSError:
            return

    def assert_no_way(self, row, allowed):
        self.assertTrue(self.found[row])
        self.assertEqual({where: answer for where, answer in self.found[row].items() if answer not in allowed}, {})

    def test_everything_fails_at_once(self):
        self.assertEqual(self.found["slow"], [])

    def test_tcp_has_no_way_out(self):
        self.assert_no_way("tcp", {"ENETUNREACH"})

    def test_udp_has_no_way_out(self):
        self.assert_no_way("udp", {"ENETUNREACH", "EACCES"})

    def test_icmp_is_refused(self):
        self.assert_no_way("icmp", NO_WAY | {"EPROTONOSUPPORT"})

    def test_ipv6_has_no_way_out(self):
        self.assert_no_way("ipv6", NO_WAY | {"EINVAL"})

    def test_names_are_not_resolved(self):
        self.assertEqual([name for name, answer in self.found["dns"].items() if not answer.startswith("EAI")], [])

    def test_metadata_addresses_are_unreachable(self):
        self.assert_no_way("metadata", {"ENETUNREACH", "EADDRNOTAVAIL"})

    def test_services_on_the_hosts_loopback_are_unreachable(self):
        self.assert_no_way("host loopback", {"ECONNREFUSED", "EADDRNOTAVAIL", "ENETUNREACH"})
        self.assertNotIn(socket.AF_INET, self.reached)

    def test_abstract_sockets_of_the_host_are_unreachable(self):
        self.assertEqual(self.found["abstract"], "ECONNREFUSED")
        self.assertNotIn(socket.AF_UNIX, self.reached)
        self.assertEqual([name for name in self.found["unix sockets"] if not name.startswith("/run/mayfly/")], [])

    def test_only_lo_is_there(self):
        self.assertEqual(self.found["interfaces in proc"], ["lo"])
        self.assertEqual(self.found["interfaces in sysfs"], ["lo"])
        self.assertEqual((self.found["routes"], self.found["tcp listeners"]), ([], []))

    def test_its_own_loopback_works(self):
        self.assertEqual(self.found["own loopback"], "done")

    def test_no_engine_dbus_or_notify_socket(self):
        self.assertEqual([path for path, is_there in self.found["known sockets"].items() if is_there], [])
        self.assertEqual(set(self.found["sockets in files"]) - {"/run/mayfly/control"}, set())
        self.assertEqual(self.found["notify"], {})

    def test_the_control_socket_takes_no_second_connection(self):
        self.assertEqual(set(self.found["control"].values()) - {"ECONNREFUSED", "EACCES", "ECONNRESET", "EPIPE", "ENOENT"}, set())


class WarmNetwork(Network):
    """The same for a job that claims a pooled container."""
    is_warm = True


if __name__ == "__main__":
    harness.main()
