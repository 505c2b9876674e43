"""Tests of medseg.metrics.case_metrics: the tables that an evaluation leaves."""

import csv
import json
import math

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedEvaluator

from medseg.inference import CasesFailedError, run_cases
from medseg.metrics import CaseMetrics, MeanCaseDice

AFFINE = np.diag([2.0, 1.0, 5.0, 1.0])


def square(row, *, side=10, shape=(40, 40)):
    mask = np.zeros(shape, bool)
    mask[row : row + side, 5 : 5 + side] = True
    return mask


def item(case, pred, label, *, affine=AFFINE, **more):
    """A case as it comes: the prediction stands for the image."""
    planes = [MetaTensor(torch.as_tensor(x)[None].float(), affine=affine) for x in (pred, label)]
    return {"case": case, "image": planes[0], "label": planes[1], **more}


def evaluate(items, metrics):
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(Dataset(items), batch_size=1),
        network=torch.nn.Identity(),
        val_handlers=[metrics],
    )
    run_cases(evaluator, Dataset(items))


def solid(row, **kwargs):
    return np.repeat(square(row, **kwargs)[..., None], 3, axis=-1).astype(np.uint8)


@pytest.fixture
def tables(tmp_path):
    """What three cases leave: a shift by one row of 2 mm, nothing found, and nothing to find."""
    empty = solid(5, side=0)
    items = [
        item("shifted", solid(5), solid(6), patient="p1"),
        item("missed", empty, solid(5), patient="p1"),
        item("absent", empty, empty, patient="p2"),
    ]
    evaluate(items, CaseMetrics(tmp_path, classes=["liver"], group="patient"))
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return rows, json.loads((tmp_path / "metrics_summary.json").read_text())


def test_the_csv_has_a_row_for_each_case_with_unit_tolerance_and_group(tables):
    rows, _ = tables
    assert rows[0] == {
        "case": "shifted",
        "patient": "p1",
        "class": "liver",
        "dice": "0.9",
        "iou": "0.818182",
        "hd95_mm": "2",
        "surface_dice_2mm": "1",
        "true_ml": "3",  # 10 x 10 x 3 voxels of 2 x 1 x 5 mm
        "predicted_ml": "3",
    }
    assert [row["case"] for row in rows] == ["shifted", "missed", "absent"]
    assert [row["dice"] for row in rows] == ["0.9", "0", "nan"]
    assert [row["hd95_mm"] for row in rows] == ["2", "inf", "nan"]
    assert [row["predicted_ml"] for row in rows] == ["3", "0", "0"]
    assert [row["true_ml"] for row in rows] == ["3", "3", "0"]


def test_the_summary_shows_how_many_cases_its_means_leave_out(tables):
    _, summary = tables
    assert summary["classes"]["liver"]["hd95_mm"] == {
        "n": 1,
        "undefined": 1,
        "infinite": 1,
        "mean": 2.0,
        "std": 0.0,
        "median": 2.0,
        "min": 2.0,
        "max": 2.0,
    }
    dice = summary["classes"]["liver"]["dice"]
    assert (dice["n"], dice["undefined"], dice["infinite"]) == (2, 1, 0)
    assert dice["mean"] == dice["median"] == dice["std"] == pytest.approx(0.45)


def test_a_score_that_no_case_defines_has_no_mean(tmp_path):
    empty = solid(5, side=0)
    evaluate([item("a", empty, empty)], CaseMetrics(tmp_path, classes=["liver"]))
    dice = json.loads((tmp_path / "metrics_summary.json").read_text())["classes"]["liver"]["dice"]
    assert (dice["n"], dice["undefined"], dice["mean"]) == (0, 1, None)


def test_each_class_is_scored_by_its_own_index(tmp_path):
    label = solid(5) + 2 * solid(20)
    pred = solid(5) + 2 * solid(21)
    metrics = CaseMetrics(tmp_path, classes=["liver", "tumour"])
    evaluate([item("a", pred, label)], metrics)
    assert [(row["class"], row["dice"]) for row in metrics.rows] == [
        ("liver", 1.0),
        ("tumour", 0.9),
    ]


def test_the_tables_are_rewritten_after_every_case(tmp_path):
    seen = []

    class Watching(CaseMetrics):
        def __call__(self, engine):
            table = tmp_path / "metrics.csv"
            seen.append(table.read_text().count("\n") if table.exists() else 0)
            super().__call__(engine)

    items = [item("a", solid(5), solid(5)), item("b", solid(5), solid(6)[:-1])]
    with pytest.raises(CasesFailedError) as error:
        evaluate(items, Watching(tmp_path, classes=["liver"]))
    assert "lie on different grids" in error.value.failures["b"]
    assert seen == [0, 2]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["metrics.csv", "metrics_summary.json"]


def test_pixels_are_the_unit_of_images_without_a_known_size(tmp_path):
    pred, label = (torch.as_tensor(square(row)[None]).float() for row in (5, 8))
    metrics = CaseMetrics(tmp_path, classes=["liver"], tolerance=1.5, unit="pixel")
    evaluate([{"case": "a", "image": pred, "label": label}], metrics)
    assert metrics.rows[0]["hd95_pixel"] == 3
    assert "surface_dice_1.5pixel" in metrics.rows[0]


def test_a_2d_image_with_an_affine_is_measured_in_millimetres(tmp_path):
    metrics = CaseMetrics(tmp_path, classes=["liver"])
    evaluate([item("a", square(5), square(8))], metrics)
    assert metrics.rows[0]["hd95_mm"] == 6


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"unit": "cm"}, "a unit of mm or pixel"),
        ({"tolerance": -1.0}, "a tolerance >= 0"),
        ({"classes": []}, "and a class"),
        ({"thresholds": [0.4]}, "threshold must be 0.5 or more and below 1, got 0.4"),
        ({"thresholds": [1.0]}, "threshold must be 0.5 or more and below 1, got 1.0"),
        (
            {"members": [[1], [2]]},
            r"for each of 1 classes, indices from 1 to 1, got \[\[1\], \[2\]\]",
        ),
        ({"members": [[2]]}, r"indices from 1 to 1, got \[\[2\]\]"),
        ({"members": [[]]}, r"indices from 1 to 1, got \[\[\]\]"),
        ({"min_size": 0}, "min_size must be 1 voxel or more"),
        ({"connectivity": 0}, "connectivity None, or 1 or more"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, given, match):
    with pytest.raises(ValueError, match=match):
        CaseMetrics(tmp_path, **{"classes": ["liver"], **given})


def scored(tmp_path, pred, label):
    engine = Engine(lambda *_: None)
    engine.state.batch = [{"case": "a"}]
    engine.state.output = [{"pred": pred, "label": label}]
    CaseMetrics(tmp_path, classes=["liver"])(engine)


def test_a_prediction_that_is_flipped_against_the_label_is_refused(tmp_path):
    flipped = np.diag([-2.0, 1.0, 5.0, 1.0])
    pred, label = item("a", solid(5), solid(5)), item("a", solid(5), solid(5), affine=flipped)
    with pytest.raises(ValueError, match=r"different grids \(orientation RAS against LAS"):
        scored(tmp_path, pred["image"], label["label"])


def test_millimetres_without_an_affine_are_refused(tmp_path):
    plain = torch.zeros(1, 4, 4, 4)
    with pytest.raises(ValueError, match=r"case a has no affine .*: use unit 'pixel'"):
        scored(tmp_path, plain, plain)


def test_the_tables_of_an_earlier_run_are_kept_under_dated_names(tmp_path):
    (tmp_path / "metrics.csv").write_text("earlier")
    metrics = CaseMetrics(tmp_path, classes=["liver"])
    metrics.write()
    metrics.write()
    assert [p.read_text() for p in tmp_path.glob("metrics-*.csv")] == ["earlier"]


def test_a_failed_case_stays_visible_in_the_summary(tmp_path):
    metrics = CaseMetrics(tmp_path, classes=["liver"])
    metrics.add_failure("ct_7", "ends early")
    summary = json.loads((tmp_path / "metrics_summary.json").read_text())
    assert summary["failed"] == {"ct_7": "ends early"}


# ---- the whole set


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_summary_has_the_scores_of_all_voxels_together(tmp_path):
    # 40 x 40 x 3 voxels a case: 270 of 300 found and 30 false in the first, none of 75 in the
    # second; IoU = 270 / (330 + 75), wrong are 60 and 75 voxels
    items = [item("a", solid(5), solid(6)), item("b", solid(5, side=0), solid(5, side=5))]
    evaluate(items, CaseMetrics(tmp_path, classes=["liver"]))
    scores = json.loads((tmp_path / "metrics_summary.json").read_text())["set"]
    assert scores["cases"] == 2
    assert scores["mean_iou"] == scores["classes"]["liver"]["iou"] == pytest.approx(270 / 405)
    assert scores["pixel_accuracy"] == pytest.approx(1 - 135 / 9600)
    # IoU of the cases: 9 / 11 and 0
    assert scores["classes"]["liver"]["cases_at_iou"] == {"n": 2, "0.5": 0.5, "0.7": 0.5, "0.9": 0}


def test_a_case_that_fails_is_in_no_score_of_the_set(tmp_path):
    items = [item("a", solid(5), solid(5)), item("b", solid(5), 7 * solid(5))]
    metrics = CaseMetrics(tmp_path, classes=["liver"])
    with pytest.raises(CasesFailedError) as error:
        evaluate(items, metrics)
    assert "indices of the label must be 0 to 1, got 7" in error.value.failures["b"]
    summary = metrics.summarise()
    assert (summary["set"]["cases"], summary["set"]["mean_iou"]) == (1, 1.0)
    assert [row["case"] for row in metrics.rows] == ["a"]


def test_objects_and_lesions_add_their_columns_between_scores_and_sizes(tmp_path):
    plain, more = CaseMetrics(tmp_path / "a", classes=["x"]), tmp_path / "b"
    evaluate([item("a", solid(5), solid(6))], plain)
    evaluate(
        [item("a", solid(5), solid(6))],
        CaseMetrics(more, classes=["x"], objects=True, lesions=True, thresholds=[0.5, 0.75]),
    )
    (first,), (second,) = read(tmp_path / "a/metrics.csv"), read(more / "metrics.csv")
    assert list(second)[:6] == list(first)[:6]
    assert list(second)[-2:] == list(first)[-2:] == ["true_ml", "predicted_ml"]
    # the objects have IoU 9/11 = 0.818: found at 0.5 to 0.8, 7 of ten thresholds
    assert {name: second[name] for name in second.keys() - first.keys()} == {
        "object_ap50": "1",
        "object_ap75": "1",
        "object_score": "0.7",
        "lesion_sensitivity": "1",
        "lesion_precision": "1",
        "lesion_f1": "1",
    }
    assert not (tmp_path / "a/lesions.csv").exists()


def test_lesions_are_listed_with_volume_and_diameter(tmp_path):
    # 10 x 10 x 3 voxels of 2 x 1 x 5 mm are 3 mL; the second lesion was missed, the third is false
    label, pred = solid(5) | solid(30, side=2), solid(5) | solid(20, side=1)
    metrics = CaseMetrics(tmp_path, classes=["tumour"], lesions=True, group="patient")
    evaluate([item("a", pred, label, patient="p1")], metrics)
    rows = read(tmp_path / "lesions.csv")
    found = [(row["lesion"], row["kind"], row["voxels"], row["volume_ml"]) for row in rows]
    assert found == [
        ("1", "found", "300", "3"),
        ("2", "missed", "12", "0.12"),
        ("3", "true", "300", "3"),
        ("4", "false", "3", "0.03"),
    ]
    assert rows[0]["patient"] == "p1"
    diameter_mm = (6 * 3000 / math.pi) ** (1 / 3)
    assert float(rows[0]["diameter_mm"]) == pytest.approx(diameter_mm, rel=1e-5)
    summary = json.loads((tmp_path / "metrics_summary.json").read_text())
    assert summary["set"]["classes"]["tumour"]["lesions"]["false_per_case"] == 1.0
    assert summary["classes"]["tumour"]["lesion_sensitivity"]["mean"] == 0.5


def test_lesions_of_an_image_have_a_diameter_and_no_volume(tmp_path):
    metrics = CaseMetrics(tmp_path, classes=["x"], lesions=True)
    evaluate([item("a", square(5), square(5))], metrics)
    row = read(tmp_path / "lesions.csv")[0]
    assert row["volume_ml"] == ""
    assert float(row["diameter_mm"]) == pytest.approx(2 * math.sqrt(200 / math.pi), rel=1e-5)


def test_a_table_of_lesions_of_an_earlier_run_is_kept_and_not_taken_for_this_one(tmp_path):
    (tmp_path / "lesions.csv").write_text("earlier")
    CaseMetrics(tmp_path, classes=["liver"]).write()
    assert [p.read_text() for p in tmp_path.glob("lesions-*.csv")] == ["earlier"]
    assert not (tmp_path / "lesions.csv").exists()


def test_ignored_voxels_count_nowhere(tmp_path):
    # the upper half of the square is predicted, the lower half is ignored: nothing is wrong
    label, pred = solid(5).astype(np.uint8), solid(5).astype(np.uint8)
    label[10:], pred[10:] = 255, 1
    metrics = CaseMetrics(tmp_path, classes=["liver"], ignore_label=255, objects=True)
    evaluate([item("a", pred, label)], metrics)
    assert (metrics.rows[0]["dice"], metrics.rows[0]["hd95_mm"]) == (1.0, 0.0)
    assert metrics.rows[0]["object_score"] == 1.0
    scores = metrics.summarise()["set"]
    assert scores["pixel_accuracy"] == scores["mean_iou"] == 1.0
    assert metrics.whole_set.confusion.counts.tolist() == [[10 * 40 * 3 - 150, 0], [0, 150]]


@pytest.mark.parametrize("given", [{"lesions": "false"}, {"objects": "False"}, {"objects": 1}])
def test_a_flag_that_is_a_text_is_refused(tmp_path, given):
    with pytest.raises(TypeError, match="must be True or False"):
        CaseMetrics(tmp_path, classes=["liver"], **given)


def test_regions_are_scored_with_what_lies_within_them(tmp_path):
    # the organ, 1, holds a tumour, 2, which was taken for organ: the organ is found whole
    label, pred = solid(5).astype(np.uint8), solid(5).astype(np.uint8)
    label[5:10, 5:10] = 2
    metrics = CaseMetrics(tmp_path, classes=["organ", "tumour"], members=[[1, 2], [2]])
    evaluate([item("a", pred, label)], metrics)
    assert [row["dice"] for row in metrics.rows] == [1.0, 0.0]
    scores = metrics.summarise()["set"]
    assert [scores["classes"][name]["iou"] for name in ("organ", "tumour")] == [1.0, 0.0]
    assert scores["mean_iou"] == 0.5


def test_the_objects_of_a_case_come_with_it_through_the_evaluator(tmp_path):
    # two true objects of 5 x 10 pixels that touch, predicted as one of 10 x 10: IoU 1/2 is no match
    instances = square(5).astype(np.uint16)
    instances[10:15, 5:15] = 2
    case = item("a", square(5), square(5), instances=torch.as_tensor(instances)[None].float())
    metrics = CaseMetrics(tmp_path, classes=["nucleus"], objects="instances", thresholds=[0.5])
    evaluate([case], metrics)
    objects = metrics.summarise()["set"]["classes"]["nucleus"]["objects"]
    assert objects["0.5"] == {"tp": 0, "fp": 1, "fn": 2, "average_precision": 0.0}
    with pytest.raises(CasesFailedError) as error:
        evaluate([item("b", square(5), square(5))], metrics)
    assert "case b has no 'instances'" in error.value.failures["b"]


def make_evaluator(items, scores):
    return SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(Dataset(items), batch_size=1),
        network=torch.nn.Identity(),
        key_val_metric={"mean_dice": MeanCaseDice(scores)},
        val_handlers=[scores],
    )


def test_the_key_metric_is_the_mean_dice_of_the_summary(tmp_path):
    scores = CaseMetrics(tmp_path, classes=["liver"])
    evaluator = make_evaluator(
        [item("a", solid(5), solid(5)), item("b", solid(5), solid(10))], scores
    )
    evaluator.run()
    assert evaluator.state.metrics["mean_dice"] == pytest.approx((1 + 0.5) / 2)
    assert evaluator.state.key_metric_name == "mean_dice"


def test_a_second_run_of_all_cases_starts_anew(tmp_path):
    items = [item("a", solid(5), solid(5)), item("b", solid(5), solid(10))]
    scores = CaseMetrics(tmp_path, classes=["liver"])
    evaluator = make_evaluator(items, scores)
    for _ in range(2):
        evaluator.run()
    assert [row["case"] for row in scores.rows] == ["a", "b"]


def test_without_a_score_the_key_metric_is_not_a_number(tmp_path):
    empty = solid(5, side=0)
    evaluator = make_evaluator([item("a", empty, empty)], CaseMetrics(tmp_path, classes=["liver"]))
    evaluator.run()
    assert math.isnan(evaluator.state.metrics["mean_dice"])


def test_the_summary_says_what_was_scored(tmp_path):
    about = {"section": "test", "bundle": "liver 0.1.0"}
    metrics = CaseMetrics(tmp_path, classes=["liver"], about=about)
    assert metrics.summarise()["about"] == about
    assert "about" not in CaseMetrics(tmp_path, classes=["liver"]).summarise()
