"""The Python of two how-to pages runs, and its assertions hold."""

import re

import numpy as np
from PIL import Image

from medseg.inference import LabelFiles
from medseg.labels import make_table


def test_the_snippets_run_one_after_the_other(repository, tmp_path, monkeypatch):
    page = (repository / "docs/how-to/segment-in-bounded-memory.md").read_text()
    snippets = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    assert len(snippets) > 3
    monkeypatch.chdir(tmp_path)
    exec(compile("".join(snippets), "segment-in-bounded-memory.md", "exec"), {})


def test_the_snippet_that_colours_a_mask_keeps_its_values(repository, tmp_path):
    page = (repository / "docs/how-to/view-a-mask.md").read_text()
    [snippet] = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    names = {}
    exec(compile(snippet, "view-a-mask.md", "exec"), names)
    LabelFiles(tmp_path, {"liver": [1], "tumour": [2]})()
    values = np.array([[0, 1], [2, 0]], np.uint8)
    Image.fromarray(values).save(tmp_path / "a_label.png")
    names["colour"](tmp_path / "a_label.png")
    coloured = Image.open(tmp_path / "a_label_colour.png")
    assert np.array_equal(coloured, values)
    table = make_table(["liver", "tumour"]).colours
    assert np.array_equal(coloured.convert("RGB"), table[values])
