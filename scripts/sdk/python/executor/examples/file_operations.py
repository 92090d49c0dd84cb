"""Files of yours into a sandbox, worked on there, and back.

    python -m executor.examples.file_operations [FOLDER]     where the result goes; here unless another is named
"""
from __future__ import annotations

import json
import os
import sys
import tempfile

from executor.interpreter import CodeInterpreter
from executor.sandbox import CodeSandbox, SandboxError

REPORT = """
import csv, json, os
with open("orders.csv", newline="") as file:
    orders = list(csv.DictReader(file))
os.makedirs("out", exist_ok=True)
with open("out/report.json", "w") as file:
    json.dump({"orders": len(orders), "total": sum(float(order["price"]) for order in orders)}, file)
print("written")
"""


def main(folder: str = ".") -> str:
    """Returns the path of the report."""
    with tempfile.TemporaryDirectory() as mine, CodeSandbox() as sandbox:
        orders = os.path.join(mine, "orders.csv")
        with open(orders, "w", encoding="utf-8") as file:
            file.write("id,price\n1,9.50\n2,20.25\n")

        print("uploaded:", sandbox.upload(orders))
        sandbox.write_file("notes/readme.txt", "text, or bytes")
        print("program:", CodeInterpreter(sandbox).run(REPORT).check().stdout.strip())
        print("files:", ", ".join(sorted(file.path for file in sandbox.list_files())))
        print("note:", sandbox.read_file("notes/readme.txt").decode())

        report = sandbox.download("out/report.json", folder)
        with open(report, encoding="utf-8") as file:
            print("report:", json.load(file))

        try:
            sandbox.write_file("../outside", "no")
        except SandboxError as error:
            print("refused:", error)
    return report


if __name__ == "__main__":
    main(*sys.argv[1:])
