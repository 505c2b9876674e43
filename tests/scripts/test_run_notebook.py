"""Tests of scripts/run_notebook.py, and that the notebook of the tutorials runs."""

import json
import sys

import pytest

NOTEBOOK = "docs/tutorials/segment-and-measure.ipynb"


@pytest.fixture
def script(repository, monkeypatch):
    monkeypatch.syspath_prepend(repository / "scripts")
    import run_notebook

    return run_notebook


def make_notebook(*sources):
    cells = [{"cell_type": "code", "source": s.splitlines(keepends=True)} for s in sources]
    return {"cells": [{"cell_type": "markdown", "source": ["# Title"]}, *cells]}


def test_cells_run_in_order_and_keep_what_they_print_and_draw(script):
    made = script.run_notebook(
        make_notebook("x = 2\nprint(x)", "import matplotlib.pyplot as plt\nplt.plot([x])", "x += 1")
    )
    title, first, second, third = made["cells"]
    assert title == {"cell_type": "markdown", "source": ["# Title"]}
    assert first["outputs"] == [{"output_type": "stream", "name": "stdout", "text": ["2\n"]}]
    (figure,) = second["outputs"]
    assert figure["data"]["image/png"].startswith("iVBOR")
    assert (third["outputs"], third["execution_count"]) == ([], 3)


def test_a_failing_cell_is_named_and_the_file_stays_as_it_was(script, tmp_path, monkeypatch):
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(make_notebook("1 / 0")))
    before = path.read_text()
    monkeypatch.setattr(sys, "argv", ["run_notebook.py", str(path)])
    with pytest.raises(RuntimeError, match=r"ZeroDivisionError.*\n1 / 0"):
        script.main()
    assert path.read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.ipynb"]


def test_files_of_a_cell_are_gone_afterwards(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script.run_notebook(make_notebook("open('x', 'w').close()"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_the_notebook_of_the_tutorials_runs_and_prints_and_draws_as_it_is_committed(
    script, repository
):
    committed = json.loads((repository / NOTEBOOK).read_text())
    made = script.run_notebook(committed)
    for before, after in zip(committed["cells"], made["cells"], strict=True):
        kinds = [[o["output_type"] for o in cell.get("outputs", [])] for cell in (before, after)]
        assert kinds[0] == kinds[1], "".join(before["source"])
    printed = "".join(
        line
        for cell in made["cells"]
        for output in cell.get("outputs", [])
        for line in output.get("text", [])
    )
    assert "the same mask: True" in printed
    assert "liver_seg.dcm" in printed
