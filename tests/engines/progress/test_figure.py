"""Tests of medseg.engines.progress.figure: what the picture of a run shows."""

import pytest
from PIL import Image

from medseg.engines.progress import figure
from medseg.engines.progress.figure import FIGURE, draw_progress
from medseg.engines.progress.history import History
from medseg.engines.progress.lines import Epoch

SCORES = {"dice": "dice", "a $class": "dice: a $class", "none": "dice: none"}


@pytest.fixture
def history(tmp_path):
    found = History(tmp_path)
    for number in (1, 2, 3):
        classes = {"a $class": 0.1 * number}
        scores = {"scores": {"dice": 0.2 * number}, "class_scores": classes} if number > 1 else {}
        found.add(Epoch(number, 3, -number, 0.1, 2.0, 0, key="dice", **scores))
    return found


@pytest.fixture
def drawn(monkeypatch):
    """The figures, as they are saved."""
    from matplotlib.figure import Figure

    found, save = [], Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: found.append(self) or save(self, *a, **k)
    )
    return found


def test_the_picture_has_loss_scores_rate_and_time(history, tmp_path, drawn):
    draw_progress(history, tmp_path / FIGURE, title="a run", scores=SCORES)
    with Image.open(tmp_path / FIGURE) as image:
        assert image.format == "PNG"
        assert image.size == (1100, 700)
    loss, score, rate, seconds = drawn[0].axes
    assert loss.lines[0].get_xydata().tolist() == [[1, -1], [2, -2], [3, -3]]
    assert score.lines[0].get_ydata().tolist() == pytest.approx([0.4, 0.6])
    assert score.lines[1].get_xydata().tolist() == [[2, 0.2], [3, pytest.approx(0.3)]]
    assert score.lines[2].get_ydata().tolist() == []
    assert rate.lines[0].get_ydata().tolist() == [0.1] * 3
    assert seconds.lines[0].get_ydata().tolist() == [2.0] * 3


def test_a_loss_below_zero_is_explained_below_its_curve(history, tmp_path, drawn):
    draw_progress(history, tmp_path / FIGURE, title="", scores=SCORES, lowest=-4.0)
    loss = drawn[0].axes[0]
    assert "minus a similarity" in loss.texts[0].get_text()
    assert "is -4 (dashed)" in loss.texts[0].get_text()
    assert list(loss.lines[1].get_ydata()) == [-4, -4]


def test_the_words_on_the_loss_lie_on_no_curve_and_on_no_other_words(history, tmp_path, drawn):
    draw_progress(history, tmp_path / FIGURE, title="", scores=SCORES, lowest=-4.0)
    loss, _, rate, _ = drawn[0].axes
    words = loss.texts[0].get_window_extent()
    others = [loss.bbox, loss.xaxis.label.get_window_extent(), rate.title.get_window_extent()]
    assert not any(words.overlaps(other) for other in others)


@pytest.mark.parametrize("lowest", [None, 0.0])
def test_a_loss_that_stays_above_zero_needs_no_words(history, tmp_path, drawn, lowest):
    draw_progress(history, tmp_path / FIGURE, title="", scores=SCORES, lowest=lowest)
    assert not drawn[0].axes[0].texts


def test_a_score_above_one_is_not_cut_off(history, tmp_path, drawn):
    history.add(Epoch(4, 4, 0, 0.1, 1, 0, key="dice", scores={"dice": 5.0}))
    draw_progress(history, tmp_path / FIGURE, title="", scores=SCORES)
    low, high = drawn[0].axes[1].get_ylim()
    assert low == 0
    assert high > 5


@pytest.mark.parametrize("score", [0.0, 0.001, 0.5, 1.0, float("nan")])
def test_scores_are_drawn_from_0_to_1(tmp_path, drawn, score):
    history = History(tmp_path)
    for number in (1, 2):
        history.add(Epoch(number, 2, -2, 0.1, 1, 0, key="dice", scores={"dice": score}))
    draw_progress(history, tmp_path / FIGURE, title="", scores=SCORES, lowest=-2)
    assert drawn[0].axes[1].get_ylim() == (0, 1.02)


def test_a_picture_that_fails_leaves_the_one_before(history, tmp_path, monkeypatch):
    draw_progress(history, tmp_path / FIGURE, title="", scores=SCORES)
    before = (tmp_path / FIGURE).read_bytes()
    monkeypatch.setattr(figure, "_DOTS_PER_INCH", "none")
    with pytest.raises(TypeError):
        draw_progress(history, tmp_path / FIGURE, title="", scores=SCORES)
    assert (tmp_path / FIGURE).read_bytes() == before
