"""Row H of tests/attack/README.md: what a request may ask for. Many inputs, base64 and limits by number: tests/api."""
import concurrent.futures
import json
import os

import attack
import harness


class Inputs(attack.AttackTest):
    # what would change programs inside, if the server's environment reached them
    environment = {"PYTHONPATH": "/attack", "PYTHONSTARTUP": "/attack", "NODE_OPTIONS": "--require=/attack", "BASH_ENV": "/attack", "ENV": "/attack",
                   "PERL5OPT": "-Mattack", "RUBYOPT": "-rattack", "PHPRC": "/attack", "BUN_OPTIONS": "--preload=/attack", "IFS": "x",
                   "PS4": "$(touch /tmp/attack)",
                   "http_proxy": "http://127.0.0.1:1/", "ALL_PROXY": "http://127.0.0.1:1/", "CURL_HOME": "/attack", "MALLOC_PERTURB_": "1"}

    def refused(self, change, status=400):
        reply = self.server.request("POST", "/run", {"sessionId": "s", "code": "echo ran", **change})
        self.assertEqual(reply.status, status, (change, reply))
        return json.loads(reply.body)

    def accepted(self, change):
        reply = self.server.request("POST", "/run", {"sessionId": "s", "code": "echo ran", **change})
        self.assertEqual(reply.status, 200, (change, reply))
        return json.loads(reply.body)

    def accept_all(self, changes):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return list(pool.map(self.accepted, changes))

    def test_file_names_that_traverse_are_400(self):
        before = sorted(os.listdir(self.server.folder))
        for name in ("../x", "..", ".", "/etc/passwd", "a/../b", "a/b", "x\x00y", "\x00", "a\nb", "a\rb", "\x1b", "\x7f", "stdout", "stderr", "",
            "x" * 256,
                     "\u4e2d" * 86, "./x", "x/", "..\x00/x"):
            with self.subTest(name=name):
                self.refused({"filename": name})
        self.assertEqual(sorted(set(os.listdir(self.server.folder)) - {"storage", "run"}), sorted(set(before) - {"storage", "run"}))
        self.check_recovered()

    def test_session_names_that_traverse_are_400(self):
        for name in ("../x", "..", ".", "/x", "a/b", "", "x" * 129, "a\x00b", "a\nb", ".hidden", ".incoming", "\x7f", "\u4e2d" * 43):
            with self.subTest(name=name):
                self.refused({"sessionId": name})

    def test_a_session_that_is_a_file_or_link_in_storage_is_refused(self):
        self.accepted({})
        outside = os.path.join(self.server.folder, "outside")
        os.mkdir(outside)
        os.symlink(outside, os.path.join(self.server.storage, "linked"))
        with open(os.path.join(self.server.storage, "file"), "wb"):
            pass
        for session in ("linked", "file"):
            with self.subTest(session=session):
                reply = self.server.request("POST", "/run", {"sessionId": session, "code": "echo ran"})
                self.assertEqual((reply.status, json.loads(reply.body)["error"]), (500, "Code execution failed"))
        self.assertEqual(os.listdir(outside), [])
        self.check_recovered()

    def test_shell_characters_meet_no_shell(self):
        attacks = ["$(touch pwned)", "`touch pwned`", "; touch pwned", "| touch pwned", "&& touch pwned", "' ; touch pwned ; '",
            '" ; touch pwned ; "', "> pwned",
                   "x\\", "*", "?", "~root", "{a,b}", "!!", "#", "%s%n", "-c touch", "--version", "-", "--", "-rf", "$HOME", "${IFS}", "\\$(id)",
                   "a=b"]
        results = self.accept_all([{"filename": text, "sessionId": text} for text in attacks])
        for text, result in zip(attacks, results):
            with self.subTest(text=text):
                self.assertEqual((result["output"], list(result["artifacts"]["inputs"])), ("ran\n", [text]))
                self.assertEqual(set(result["artifacts"]["outputs"]), {"stdout", "stderr"})
                self.assertTrue(os.path.isfile(os.path.join(self.server.storage, text, "job-" + result["id"], text)))
        self.check_recovered()

    def test_options_in_a_file_name_meet_no_runtime(self):
        codes = {"php": "<?php echo 'ran';", "node": "console.log('ran')", "bun": "console.log('ran')", "bash": "echo ran", "python": "print('ran')",
                 "ruby": "print('ran')"}
        names = [("python", "-c"), ("python", "-m"), ("node", "-e"), ("node", "--eval=1"), ("node", "inspect"), ("bash", "-c"), ("bash", "--rcfile"),
                 ("ruby", "-e"), ("php", "-r"), ("bun", "-e"), ("bun", "run"), ("bun", "install"), ("bun", "test")]
        results = self.accept_all([{"filename": name, "language": language, "code": codes[language]} for language, name in names])
        for pair, result in zip(names, results):
            with self.subTest(pair=pair):
                self.assertEqual((result["exitCode"], result["output"].strip()), (0, "ran"))
        self.check_recovered()

    def test_languages_outside_the_list_are_400(self):
        for language in ("perl", "../python", "python\x00", "{language}", "bash -c id", "", " python", "default", "/bin/sh"):
            with self.subTest(language=language):
                self.refused({"language": language})

    def test_tools_outside_the_list_are_400(self):
        for tool in ("../code_execution", "code_execution.json", "CODE_EXECUTION", "", "default", "x" * 100000, "code_execution\x00",
            "/etc/passwd", "a\nb", "<script>"):
            with self.subTest(tool=tool[:50]):
                reply = self.server.request("POST", "/tools/execute", {"tool": tool, "sessionId": "s", "code": "echo ran"})
                self.assertEqual(reply.status, 400)
                self.assertIn("error", json.loads(reply.body))

    def test_the_servers_environment_changes_nothing_inside(self):
        codes = {"bash": "env", "python": "import os; print(os.environ)", "node": "console.log(process.env)", "ruby": "p ENV.to_h",
                 "php": "<?php print_r(getenv());", "bun": "console.log(process.env)"}
        results = self.accept_all([{"language": language, "code": code} for language, code in codes.items()])
        for language, result in zip(codes, results):
            with self.subTest(language=language):
                self.assertEqual(result["exitCode"], 0, result)
                self.assertNotIn("attack", result["output"])
                self.assertNotIn("127.0.0.1:1", result["output"])
        self.check_recovered()

    def test_an_environment_cannot_be_asked_for(self):
        result = self.accepted({"env": {"LD_PRELOAD": "/attack.so", "PATH": "/attack"}, "environment": {"PYTHONPATH": "/attack"}, "image": "evil", "privileged": True, "template": "../x", "limits": {"memory_mb": 10**9}, "network": True,
                                "memory": "64g",
                                "code": "env; echo $#; cat; id -u"})
        self.assertNotIn("attack", result["output"])
        self.assertRegex(result["output"], r"0\n[27]\d{4}\n$", result)
        self.check_recovered()

    def test_path_home_and_language_are_as_promised(self):
        output = self.accepted({"code": "env | sort; pwd"})["output"]
        self.assertIn("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n", output)
        self.assertIn("HOME=/tmp\n", output)
        self.assertTrue(output.endswith("/workspace\n"))

    def test_time_outs_that_are_no_number_in_range_are_400(self):
        for text in ("-1", "0", "0.5", "1.5", "901", "1e9", "1e999", "-0", "99999999999999999999999", "NaN", "Infinity", "-Infinity", '"5"',
            '""', "null", "true", "[]", "{}",
                     "0x10", "1_0", "05", "+5", "5.", ".5", "2147483648", "4294967297", "18446744073709551617", "1e-9"):
            with self.subTest(timeout=text):
                body = b'{"sessionId":"s","code":"echo ran","timeout":%s}' % text.encode()
                self.assertEqual(self.server.request("POST", "/run", body).status, 400)

    def test_whole_numbers_in_other_spellings_are_numbers(self):
        for text in ("5", "5.0", "5e0", "50e-1", "900"):
            with self.subTest(timeout=text):
                body = b'{"sessionId":"s","code":"echo ran","timeout":%s}' % text.encode()
                self.assertEqual(self.server.request("POST", "/run", body).status, 200)

    def test_code_of_any_text_is_text(self):
        codes = ["\r\n", "\ufeffecho bom", "echo '\u0001\u001b[31m'", "\u2028", " ", "#" * 900000, "echo \U0001f600"]
        for code, result in zip(codes, self.accept_all([{"code": code} for code in codes])):
            with self.subTest(code=code[:20]):
                self.assertEqual(self.server.fetch(result["artifacts"]["inputs"]["script.js"]), code.encode())
        self.check_recovered()

    def test_wrong_types_everywhere_are_400_and_name_the_field(self):
        for field in ("sessionId", "language", "code", "filename", "timeout"):
            for value in (None, [], {}, True, ["x"], {"x": 1}, 1.5, [[[[]]]]):
                with self.subTest(field=field, value=value):
                    issues = self.refused({field: value})["details"]
                    self.assertEqual([issue["path"] for issue in issues], [[field]])


if __name__ == "__main__":
    harness.main()
