"""Fixtures of the tests of what is written of a case."""

import pytest

from medseg.inference.preview import picture, volume
from medseg.inference.preview.page import list_texts


@pytest.fixture
def pages(monkeypatch):
    """The pages of the previews that are drawn, as blocks."""
    seen = []
    for module in (volume, picture):
        draw_page = module.draw_page

        def note(block, draw_page=draw_page):
            seen.append(block)
            return draw_page(block)

        monkeypatch.setattr(module, "draw_page", note)
    return seen


@pytest.fixture
def captions(pages):
    """A function that gives all lines of text of the previews that were drawn so far."""
    return lambda: [text for page in pages for text in list_texts(page)]
