"""The tool document_converter, with real conversions in the image mayfly-documents (src/api/tools/README.md)."""
import base64
import json
import os
import subprocess

import harness
from tooltest import ToolTest, upload

MARKDOWN = "# A title\n\nSome *emphasis*, an ümlaut and a [link](https://example.org/).\n\n-   one\n-   two\n"
LIMIT = 32 * 1024 * 1024


def encode(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


class Convert(ToolTest):
    def convert(self, data, name, script, **more):
        return self.run_tool("document_converter", fileContent=encode(data), filename=name, conversionScript=script, **more)

    def test_is_described(self):
        tool = json.loads(self.server.request("GET", "/tools").body)["document_converter"]
        self.assertEqual(set(tool), {"description", "parameters"})
        self.assertEqual(set(tool["parameters"]), {"fileContent", "filename", "conversionScript"})
        self.assertEqual(tool["parameters"]["fileContent"]["contentEncoding"], "base64")
        self.assertEqual([schema for schema in tool["parameters"].values() if "default" in schema], [])

    def test_markdown_to_docx_and_back(self):
        there = self.convert(MARKDOWN, "in.md", "pandoc in.md -o out.docx")
        self.assertEqual(there["exitCode"], 0, there)
        self.assertEqual(set(there["artifacts"]["outputs"]), {"out.docx", "stdout", "stderr"})
        docx = self.server.output(there, "out.docx")
        self.assertEqual(docx[:2], b"PK")
        back = self.convert(docx, "in.docx", "pandoc in.docx -t gfm -o out.md; cat out.md")
        self.assertEqual((back["exitCode"], back["stdout"]), (0, MARKDOWN))
        self.assertEqual(self.server.output(back, "out.md").decode(), MARKDOWN)
        self.assertEqual(self.server.fetch(back["artifacts"]["inputs"]["in.docx"]), docx, "the input is byte-identical")

    def test_postscript_to_pdf_to_text_and_pictures(self):
        page = "%!PS\n/Helvetica findfont 24 scalefont setfont 72 700 moveto (Hello paper) show showpage\n"
        made = self.convert(page, "in.ps", "gs -q -sDEVICE=pdfwrite -o out.pdf in.ps")
        self.assertEqual(made["exitCode"], 0, made)
        pdf = self.server.output(made, "out.pdf")
        read = self.convert(pdf, "in.pdf", "pdftotext in.pdf - ; pdftoppm -png -r 40 in.pdf page; pdfinfo in.pdf | grep Pages")
        self.assertEqual(read["stdout"].split(), ["Hello", "paper", "Pages:", "1"])
        self.assertEqual(self.server.output(read, "page-1.png")[:8], b"\x89PNG\r\n\x1a\n")

    def test_any_bytes_both_ways(self):
        data = os.urandom(3 << 20)
        result = self.convert(data, "-odd näme $(x).bin", "cp ./*.bin copy; sha256sum ./*.bin >/dev/null; ls")
        self.assertEqual(result["exitCode"], 0, result)
        self.assertEqual(self.server.fetch(result["artifacts"]["inputs"]["-odd näme $(x).bin"]), data)
        self.assertEqual(self.server.output(result, "copy"), data)
        self.assertEqual(list(result["artifacts"]["inputs"]), ["-odd näme $(x).bin"], "the script is no artifact")
        self.assertEqual(set(result["artifacts"]["outputs"]), {"copy", "stdout", "stderr"})

    def test_an_upload_in_place_of_the_bytes(self):
        file_id = upload(self.server, MARKDOWN.encode(), "in.md")
        result = self.run_tool("document_converter", fileContent=file_id, filename="in.md", conversionScript="pandoc -t plain in.md")
        self.assertIn("Some emphasis, an ümlaut", result["stdout"])

    def test_time_out(self):
        result = self.convert("x", "in.txt", "sleep 60", timeout=1)
        self.assertEqual(result["exitCode"], -1)
        self.assertRegex(result["stderr"], r"^\nConversion timed out after 1\.\d\ds \(timeout was set to 1s\)\n$")

    def test_a_script_that_fails(self):
        result = self.convert("x", "in.txt", "pandoc nothing.docx -o out.md")
        self.assertNotEqual(result["exitCode"], 0)
        self.assertIn("nothing.docx", result["stderr"])

    def test_no_network_and_no_way_out(self):
        result = self.convert("![](http://127.0.0.1:1/x.png)\n", "in.md", "pandoc in.md --self-contained -o out.html; cat /etc/shadow; touch /usr/x; id -u; ls /sys/class/net")
        self.assertRegex(result["stdout"], r"(?m)^[27]\d{4}$")
        self.assertEqual(result["stdout"].split()[-1], "lo")
        self.assertNotIn("root:", result["stdout"])

    def test_refusals(self):
        good = {"fileContent": encode("x"), "filename": "a", "conversionScript": "true"}
        for change, message in (({"fileContent": ""}, "File content must not be empty"), ({"filename": ""}, "Filename must not be empty"),
                                ({"conversionScript": ""}, "Conversion script must not be empty"), ({"fileContent": "not base64!"}, "Must be base64, or the id of an upload"),
                                ({"filename": "../x"}, "Filename must be one path component"), ({"filename": "a\u0001"}, "Filename must be one path component"),
                                ({"fileContent": None}, "Invalid input: expected string, received null"), ({"filename": 5}, "Invalid input: expected string, received number")):
            self.assertEqual(self.refused("document_converter", **{**good, **change}),
                             (400, "Invalid request body (tool params)", [(list(change), message)]))
        status, error, issues = self.refused("document_converter")
        self.assertEqual((status, error, sorted(path[0] for path, _ in issues)), (400, "Invalid request body (tool params)", ["conversionScript", "fileContent", "filename"]))
        self.assertEqual(self.refused("document_converter", **{**good, "filename": ".conversion.sh"})[0], 400)

    def test_the_body_limit_is_32_mib(self):
        head = len(json.dumps({"tool": "document_converter", "sessionId": "s", "fileContent": "", "filename": "a", "conversionScript": "wc -c a"}))
        room = (LIMIT - head) // 4 * 4
        result = self.run_tool("document_converter", fileContent="A" * room, filename="a", conversionScript="wc -c a")
        self.assertEqual(result["stdout"].split()[0], str(room // 4 * 3))
        reply = self.post("document_converter", fileContent="A" * (room + 8), filename="a", conversionScript="wc -c a")
        self.assertEqual((reply.status, json.loads(reply.body)["error"]), (413, "Content Too Large"))

    def test_the_image_that_is_missing_is_named_with_its_command(self):
        with harness.Server(RUNNER_IMAGE_DOCUMENTS="mayfly-documents-none:latest") as server:
            reply = server.request("POST", "/tools/execute", {"tool": "document_converter", "sessionId": "s", "fileContent": "YQ==", "filename": "a", "conversionScript": "true"})
            self.assertEqual(reply.status, 500)
            self.assertIn("build it with: scripts/build-image documents", json.loads(reply.body)["details"])

    def test_recipes_are_known_to_the_script(self):
        done = subprocess.run([os.path.join(harness.ROOT, "scripts/build-image"), "nothing"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no recipe", done.stdout)


if __name__ == "__main__":
    harness.main()
