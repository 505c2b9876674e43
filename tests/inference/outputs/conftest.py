"""Fixtures of the tests of what is written of a case."""

import pytest

from medseg.inference.outputs import preview


@pytest.fixture
def captions(monkeypatch):
    """The texts below the planes of each preview that is drawn."""
    seen = []
    draw_line = preview._draw_line

    def note(draw, line, *, y):
        seen.extend(text for _, _, text in line)
        draw_line(draw, line, y=y)

    monkeypatch.setattr(preview, "_draw_line", note)
    return seen
