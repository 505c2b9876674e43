"""The Python of docs/how-to/segment-in-bounded-memory.md runs, and its assertions hold."""

import re


def test_the_snippets_run_one_after_the_other(repository, tmp_path, monkeypatch):
    page = (repository / "docs/how-to/segment-in-bounded-memory.md").read_text()
    snippets = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    assert len(snippets) > 3
    monkeypatch.chdir(tmp_path)
    exec(compile("".join(snippets), "segment-in-bounded-memory.md", "exec"), {})
