"""Tests of medseg.metrics.case: scores that can be worked out on paper, and the tables of them."""

import csv
import json
import math

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedEvaluator
from monai.metrics import DiceMetric, HausdorffDistanceMetric, MeanIoU, SurfaceDiceMetric
from scipy.ndimage import gaussian_filter

from medseg.inference import CasesFailedError, run_cases
from medseg.metrics import CaseMetrics, score_case


def square(row, *, side=10, shape=(40, 40)):
    mask = np.zeros(shape, bool)
    mask[row : row + side, 5 : 5 + side] = True
    return mask


# ---- one case


@pytest.mark.parametrize("shift", [0, 1, 2, 5])
def test_squares_shifted_by_k_rows_score_what_paper_says(shift):
    # side 10: the overlap has 10 - k rows of 10; both outer edges lie k rows apart, and so do more
    # than 5 % of the 36 edge pixels
    scores = score_case(square(5), square(5 + shift))
    overlap = 10 * (10 - shift)
    assert scores["dice"] == pytest.approx(2 * overlap / 200)
    assert scores["iou"] == pytest.approx(overlap / (200 - overlap))
    assert scores["hd95"] == shift


@pytest.mark.parametrize(("spacing", "hd95"), [((1, 1), 3), ((2.5, 1), 7.5), ((1, 2.5), 3)])
def test_distances_are_in_the_unit_of_the_spacing_along_their_axis(spacing, hd95):
    assert score_case(square(5), square(8), spacing=spacing)["hd95"] == hd95


# Rows 5 to 14 against rows 7 to 16, columns 5 to 14 in both. Of the 36 edge pixels of the first:
# the sides in rows 7 to 14 lie on the edge of the second (16); the sides in row 6 are a row away
# from it (2); row 5 is two rows away (10); the 8 inner pixels of row 14 are 1, 2, 3, 4, 4, 3, 2, 1
# columns from its sides and two rows from its bottom. By symmetry it is the same the other way.
@pytest.mark.parametrize(
    ("tolerance", "spacing", "within"),
    [
        (0.0, (1, 1), 16),
        (1.0, (1, 1), 16 + 2 + 2),
        (1.9, (1, 1), 16 + 2 + 2),
        (2.0, (1, 1), 36),
        (1.9, (2, 1), 16 + 2),
        (3.9, (2, 1), 16 + 2 + 6),
        (4.0, (2, 1), 36),
    ],
)
def test_surface_dice_is_the_part_of_the_edges_within_the_tolerance(tolerance, spacing, within):
    scores = score_case(square(5), square(7), tolerance=tolerance, spacing=spacing)
    assert scores["surface_dice"] == pytest.approx(within / 36)


def test_equal_masks_score_best_even_a_single_voxel_in_a_corner():
    for mask in (square(5), square(0, side=1), np.ones((3, 4, 5), bool)):
        perfect = {"dice": 1.0, "iou": 1.0, "hd95": 0.0, "surface_dice": 1.0}
        assert score_case(mask, mask) == perfect


def test_a_single_slice_is_scored_as_the_image_it_is():
    flat = score_case(square(5), square(7), spacing=(2.0, 1.0))
    thin = score_case(square(5)[..., None], square(7)[..., None], spacing=(2.0, 1.0, 5.0))
    assert thin["dice"] == flat["dice"]
    assert thin["hd95"] == flat["hd95"]


def test_one_empty_mask_scores_zero_at_infinite_distance():
    worst = {"dice": 0.0, "iou": 0.0, "hd95": math.inf, "surface_dice": 0.0}
    assert score_case(square(5), square(5, side=0)) == worst
    assert score_case(square(5, side=0), square(5)) == worst


def test_two_empty_masks_have_no_score():
    scores = score_case(square(5, side=0), square(5, side=0))
    assert list(scores) == ["dice", "iou", "hd95", "surface_dice"]
    assert all(math.isnan(value) for value in scores.values())


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"differ in shape, \(40, 40\) and \(40, 41\)"):
        score_case(square(5), square(5, shape=(40, 41)))


def blob(seed, shape):
    """A smooth random mask that reaches the border."""
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2)
    return noise > 0.3 * noise.std()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("shape", "spacing"), [((24, 30), (0.7, 2.0)), ((16, 20, 12), (0.7, 1.0, 5.0))]
)
def test_scores_of_random_blobs_are_those_of_monai(seed, shape, spacing):
    pred, label = blob(seed, shape), blob(seed + 100, shape)
    y_pred, y = (torch.from_numpy(x)[None, None].float() for x in (pred, label))
    expected = {
        "dice": DiceMetric()(y_pred, y),
        "iou": MeanIoU()(y_pred, y),
        "hd95": HausdorffDistanceMetric(include_background=True, percentile=95)(
            y_pred, y, spacing=spacing
        ),
        "surface_dice": SurfaceDiceMetric(class_thresholds=[2.0], include_background=True)(
            y_pred, y, spacing=spacing
        ),
    }
    scores = score_case(pred, label, spacing=spacing)
    for name, value in expected.items():
        assert scores[name] == pytest.approx(value.item(), rel=1e-6), name


# ---- the tables


AFFINE = np.diag([2.0, 1.0, 5.0, 1.0])


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
    }
    assert [row["case"] for row in rows] == ["shifted", "missed", "absent"]
    assert [row["dice"] for row in rows] == ["0.9", "0", "nan"]
    assert [row["hd95_mm"] for row in rows] == ["2", "inf", "nan"]


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
        def write(self):
            super().write()
            seen.append((tmp_path / "metrics.csv").read_text().count("\n"))

    items = [item("a", solid(5), solid(5)), item("b", solid(5), solid(6)[:-1])]
    with pytest.raises(CasesFailedError, match=r"1 of 2 cases failed: b: .*lie on different grids"):
        evaluate(items, Watching(tmp_path, classes=["liver"]))
    assert seen == [2]
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
