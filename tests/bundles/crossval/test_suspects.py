"""Tests of medseg.bundles.crossval.suspects: labels that agree least come first."""

from PIL import Image

from medseg.bundles.crossval.suspects import count_shown, rank_suspects, write_page


def rows_of(**cases):
    """Rows of the classes a and b; None where neither label nor prediction has the class."""
    return [
        {"case": case, "class": label, "fold": "1", "dice": "" if dice is None else str(dice)}
        for case, both in cases.items()
        for label, dice in zip("ab", both, strict=True)
    ]


def test_the_mean_over_the_classes_ranks_the_cases():
    found = rank_suspects(rows_of(good=(0.9, 0.8), missing=(0.9, 0.0), swapped=(0.0, 0.1)))
    assert [one.case for one in found] == ["swapped", "missing", "good"]
    assert found[1].score == 0.45


def test_a_class_that_neither_has_does_not_count():
    found = rank_suspects(rows_of(half=(0.8, None), none=(None, None), low=(0.7, 0.7)))
    assert [(one.case, one.score) for one in found] == [("low", 0.7), ("half", 0.8), ("none", 1.0)]


def test_a_tenth_is_shown_and_six_at_least():
    assert (count_shown(220), count_shown(30), count_shown(2)) == (22, 6, 2)


def test_the_page_holds_the_pictures_and_escapes_names(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    cases = rank_suspects(rows_of(**{"<script>": (0.1, 0.2), "a": (0.3, None)}))
    page = tmp_path / "suspects.html"
    write_page(page, cases, title="<b>", pictures={"a": tmp_path / "a.png"})
    text = page.read_text()
    assert "<script>" not in text
    assert "<b>" not in text
    assert text.count("data:image/png;base64,") == 1
    assert "The 2 of 2 cases" in text
    assert "Dice a 0.300, b -; fold 1" in text
