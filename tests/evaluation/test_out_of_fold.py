"""Tests of medseg.evaluation.out_of_fold: what is kept of each case."""

import csv

import nibabel as nib
import numpy as np
from evaluation.scored import AFFINE, block, item, make_evaluator
from PIL import Image

from medseg.base.text import make_file_name
from medseg.evaluation import OutOfFold
from medseg.evaluation import out_of_fold as module
from medseg.evaluation.out_of_fold import RULES_FILE
from medseg.inference.preview.page import list_texts
from medseg.metrics import CaseMetrics


def evaluate(tmp_path, cases, *, enabled=True, classes=("liver",)):
    scores = CaseMetrics(tmp_path, classes=classes)
    kept = OutOfFold(scores, output_dir=tmp_path, enabled=enabled)
    make_evaluator(cases, [scores, kept]).run()


def read_rows(tmp_path):
    with (tmp_path / RULES_FILE).open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_mask_a_picture_and_the_rules_are_kept(tmp_path):
    evaluate(tmp_path, [item("a", block(6), block(5)), item("b/1", block(5), block(5))])
    mask = nib.load(tmp_path / "masks" / "a.nii.gz")
    np.testing.assert_array_equal(np.asarray(mask.dataobj), block(6))
    np.testing.assert_array_equal(mask.affine, AFFINE)
    assert Image.open(tmp_path / "pictures" / f"{make_file_name('b/1')}.png").format == "PNG"
    as_it_is = [r for r in read_rows(tmp_path) if (r["keep"], r["fill"]) == ("all", "0")]
    assert [(r["case"], r["class"], float(r["dice"])) for r in as_it_is] == [
        ("a", "liver", 0.9),
        ("b/1", "liver", 1.0),
    ]


def test_of_a_picture_the_mask_is_a_picture(tmp_path):
    mask = block(5)[..., 2]
    evaluate(tmp_path, [item("a", mask, mask)])
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "masks" / "a.png")), mask)


def test_the_picture_is_of_the_class_whose_scores_stand_beside_it(tmp_path, monkeypatch):
    seen = []
    draw = module.draw_page
    monkeypatch.setattr(
        module, "draw_page", lambda tile: (seen.extend(list_texts(tile)), draw(tile))[1]
    )
    pred, label = block(5) + 2 * block(20), block(5) + 2 * block(22)
    evaluate(tmp_path, [item("a", pred, label)], classes=["liver", "spleen"])
    assert seen[0] == "a, spleen"
    assert any("Dice 0.800" in text for text in seen)


def test_a_case_without_any_structure_has_no_picture(tmp_path):
    nothing = block(5, side=0)
    evaluate(tmp_path, [item("a", nothing, nothing)])
    assert (tmp_path / "masks" / "a.nii.gz").is_file()
    assert not (tmp_path / "pictures").exists()


def test_nothing_is_kept_unless_it_is_asked_for(tmp_path):
    evaluate(tmp_path, [item("a", block(6), block(5))], enabled=False)
    assert not (tmp_path / "masks").exists()
    assert not (tmp_path / RULES_FILE).exists()


def test_cases_whose_names_differ_by_a_space_alone_keep_a_mask_each(tmp_path):
    evaluate(tmp_path, [item("a 1", block(6), block(5)), item("a_1", block(7), block(5))])
    assert len(list((tmp_path / "masks").iterdir())) == 2
    assert (tmp_path / "masks" / "a_1.nii.gz").is_file()
