"""Run notebook: run the cells of a notebook from top to bottom, and keep what they print and draw.

    python scripts/run_notebook.py docs/tutorials/segment-and-measure.ipynb

It needs no Jupyter: a cell is plain Python, and what it shows is what it prints and the figures
that are open when it ends. Nothing is written where a cell fails.
"""

import argparse
import base64
import contextlib
import io
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl

from medseg.base.files import whole

Cell = dict[str, Any]


def main() -> None:
    """Run the notebook of the command line and write its outputs into it."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("notebook", type=Path)
    path = options.parse_args().notebook
    warnings.simplefilter("ignore")
    made = run_notebook(json.loads(path.read_text(encoding="utf-8")))
    with whole(path) as partial:
        partial.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def run_notebook(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with new outputs; its cells run in an empty folder that is removed afterwards.

    Raises:
        RuntimeError: a cell failed; it says which.
    """
    mpl.use("agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    cells, count = [], 0
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for cell in notebook["cells"]:
                if cell["cell_type"] == "code":
                    count += 1
                    cell = {**cell, "execution_count": count, "outputs": run_cell(cell, names)}
                cells.append(cell)
        finally:
            os.chdir(before)
    return {**notebook, "cells": cells}


def run_cell(cell: Cell, names: dict[str, Any]) -> list[dict[str, Any]]:
    """The outputs of a code cell, which may use and change `names`."""
    from matplotlib import pyplot as plt

    source = "".join(cell["source"])
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(source, "<cell>", "exec"), names)
    except Exception as error:
        raise RuntimeError(f"this cell failed with {error!r}:\n{source}") from error
    outputs: list[dict[str, Any]] = []
    if text := printed.getvalue():
        lines = text.splitlines(keepends=True)
        outputs.append({"output_type": "stream", "name": "stdout", "text": lines})
    for number in plt.get_fignums():
        outputs.append(
            {"output_type": "display_data", "metadata": {}, "data": _draw(plt.figure(number))}
        )
    plt.close("all")
    return outputs


def _draw(figure: Any) -> dict[str, str]:
    """A figure as the two forms in which a notebook keeps it."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=80, bbox_inches="tight", metadata={"Software": None})
    return {
        "image/png": base64.b64encode(drawn.getvalue()).decode(),
        "text/plain": f"a figure of {len(figure.axes)} pictures",
    }


if __name__ == "__main__":
    sys.exit(main())
