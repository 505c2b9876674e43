"""Tests of medseg.evaluation.gallery: the worst cases of each class, the worst first."""

import pytest
from evaluation.scored import block, item, make_evaluator
from PIL import Image

from medseg.evaluation import Gallery
from medseg.evaluation import gallery as module
from medseg.inference.preview.page import list_texts
from medseg.metrics import CaseMetrics

SHIFTS = {"a": 1, "b": 8, "c": 0, "d": 20, "e": 4}
"""Case -> rows between truth and prediction, of 10: Dice 0.9, 0.2, 1, 0 and 0.6."""


@pytest.fixture
def page(monkeypatch):
    """The lines of text of the page that is drawn."""
    seen = []
    draw_page = module.draw_page
    monkeypatch.setattr(
        module, "draw_page", lambda drawn: (seen.extend(list_texts(drawn)), draw_page(drawn))[1]
    )
    return seen


def evaluate(tmp_path, cases, **options):
    scores = CaseMetrics(tmp_path, classes=["liver"])
    gallery = Gallery(scores, **options)
    make_evaluator(cases, [scores, gallery]).run()
    return gallery


def shifted():
    return [item(name, block(5 + shift), block(5)) for name, shift in SHIFTS.items()]


def test_the_worst_cases_are_shown_the_worst_first(tmp_path, page):
    gallery = evaluate(tmp_path, shifted(), count=3, title="liver, test")
    assert gallery.write(tmp_path / "worst.png")
    assert page[:4] == [
        "liver, test",
        "truth",
        "prediction",
        "liver: the worst 3 of 5 cases, by Dice",
    ]
    assert [text for text in page if text in SHIFTS] == ["d", "b", "e"]
    assert Image.open(tmp_path / "worst.png").format == "PNG"


def test_of_cases_with_one_dice_the_largest_structure_comes_first(tmp_path, page):
    cases = [item("small", block(30, side=2), block(5, side=2)), item("large", block(30), block(5))]
    evaluate(tmp_path, cases, count=2).write(tmp_path / "worst.png")
    assert [text for text in page if text in ("small", "large")] == ["large", "small"]


def test_a_case_without_the_class_is_none_of_them(tmp_path, page):
    nothing = block(5, side=0)
    cases = [item("absent", nothing, nothing), item("there", block(5), block(6))]
    evaluate(tmp_path, cases, count=2).write(tmp_path / "worst.png")
    assert "there" in page
    assert "absent" not in page


def test_without_any_score_no_picture_is_written(tmp_path):
    nothing = block(5, side=0)
    gallery = evaluate(tmp_path, [item("absent", nothing, nothing)], count=2)
    assert not gallery.write(tmp_path / "worst.png")
    assert not (tmp_path / "worst.png").exists()


def test_a_count_of_0_is_no_gallery(tmp_path):
    assert not evaluate(tmp_path, shifted(), count=0).write(tmp_path / "worst.png")
    with pytest.raises(
        ValueError, match="worst_cases must be 0 or more cases of each class, got -1"
    ):
        Gallery(CaseMetrics(tmp_path, classes=["liver"]), count=-1)


def test_another_run_begins_with_an_empty_gallery(tmp_path, page):
    scores = CaseMetrics(tmp_path, classes=["liver"])
    gallery = Gallery(scores, count=3)
    evaluator = make_evaluator(shifted(), [scores, gallery])
    for _ in range(2):
        evaluator.run()
    gallery.write(tmp_path / "worst.png")
    assert [text for text in page if text in SHIFTS] == ["d", "b", "e"]


def test_a_region_is_shown_with_those_within_it(tmp_path, page):
    scores = CaseMetrics(tmp_path, classes=["liver", "tumour"], members=[[1, 2], [2]])
    gallery = Gallery(scores, count=1)
    label, pred = block(5), block(5)
    label[5:8, 5:8, 2], pred[12:15, 5:8, 2] = 2, 2
    make_evaluator([item("a", pred, label)], [scores, gallery]).run()
    gallery.write(tmp_path / "worst.png")
    assert "Dice 1.000, HD95 0.0 mm" in page  # of the liver
    assert any(text.startswith("Dice 0.000") for text in page)  # of the tumour
