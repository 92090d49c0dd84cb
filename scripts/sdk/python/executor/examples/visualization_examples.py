"""Figures and tables of a data analysis, kept as files. Needs the template python-data.

    python -m executor.examples.visualization_examples [FOLDER]     charts/ unless another is named
"""
from __future__ import annotations

import sys
from typing import List

from executor.interpreter import CodeInterpreter
from executor.sandbox import CodeSandbox

SALES = """month,city,sold
1,Kiel,12
1,Ulm,7
2,Kiel,15
2,Ulm,11
3,Kiel,9
3,Ulm,16
"""

LINES = """
import matplotlib.pyplot as plt
import pandas as pd

sales = pd.read_csv("sales.csv")
by_city = sales.pivot(index="month", columns="city", values="sold")
by_city.plot(title="Sold by month", marker="o")
plt.show()
print(by_city.sum().to_dict())
"""

# the frame of the cell before is still there
BARS = """
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
by_city.mean().plot.bar(ax=left, title="Mean")
sales["sold"].plot.hist(ax=right, title="Spread")
plt.show()
sales.describe()
"""


def main(folder: str = "charts") -> List[str]:
    """Saves what the cells show; returns the files' paths."""
    saved = []
    with CodeSandbox(template="python-data") as sandbox:
        sandbox.write_file("sales.csv", SALES)
        interpreter = CodeInterpreter(sandbox)
        for number, cell in enumerate((LINES, BARS)):
            result = interpreter.run(cell, timeout=60).check()
            print(result.stdout, end="")
            for artifact in result.artifacts:
                print(f"Artifact: {artifact.name} ({artifact.type})")
                saved.append(artifact.save(f"{folder}/{number}/"))
    return saved


if __name__ == "__main__":
    main(*sys.argv[1:])
