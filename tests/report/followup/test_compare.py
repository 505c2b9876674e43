"""Tests of medseg.report.followup.compare: pairs whose changes are known on paper."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from report.followup.bodies import draw_body, draw_spheres, make_grid, make_motion, measure_error
from report.followup.studies import CLASSES, save
from scipy import ndimage

from medseg.geometry import Geometry
from medseg.ingest import load
from medseg.labels import make_table
from medseg.report.followup import Case, compare_studies
from medseg.report.followup.match_lesions import Outcome

EARLIER = make_grid((70, 55, 65), (2.0, 2.0, 2.0))
LATER = make_grid((96, 76, 44), (1.5, 1.5, 3.0), turn=(6, -4, 10))
MOTION = make_motion(degrees=(-5.0, 4.0, 8.0), shift=(10.0, -6.0, 8.0))
BEFORE = [((-30, 0, 0), 10), ((25, 10, 10), 8), ((0, -20, -10), 6)]
AFTER = [((-30, 0, 0), 13), ((25, 10, 10), 6), ((0, 20, -15), 5)]


def make_case(tmp_path, name, grid, spheres, *, matrix=None, day=None, draws=True, **more):
    mask = draw_spheres(grid, [((0, 0, 0), 40)], matrix)
    mask = draw_spheres(grid, spheres, matrix, value=2, onto=mask)
    return Case(
        name=name,
        mask_file=save(mask, grid, tmp_path / f"{name}.nii.gz"),
        mask=mask,
        geometry=grid,
        labels=make_table(CLASSES),
        image=draw_body(grid, matrix, noise=20.0) if draws else None,
        image_file=None,
        date=day,
        **{"made_by": "liver 0.1.0", "patient": "", **more},
    )


def make_pair(tmp_path, before=BEFORE, after=AFTER, **options):
    """Two studies on one grid, without images."""
    return (
        make_case(tmp_path, "a", EARLIER, before, draws=False, **options),
        make_case(tmp_path, "b", EARLIER, after, draws=False, **options),
    )


def compare(pair, **options):
    return compare_studies(*pair, registered=False, **options)


def test_a_moved_patient_on_another_grid_is_measured_as_it_was_drawn(tmp_path):
    before = make_case(tmp_path, "a", EARLIER, BEFORE, day=date(2026, 1, 1))
    after = make_case(tmp_path, "b", LATER, AFTER, matrix=MOTION, day=date(2026, 3, 2))
    found = compare_studies(before, after)
    degrees, millimetres = measure_error(found.registration.matrix, MOTION, EARLIER)
    assert degrees < 0.5
    assert millimetres < 1
    outcomes = [(one.match.outcome, one.match.before, one.match.after) for one in found.lesions]
    assert outcomes == [
        (Outcome.PERSISTED, (1,), (1,)),
        (Outcome.PERSISTED, (2,), (2,)),
        (Outcome.VANISHED, (3,), ()),
        (Outcome.NEW, (), (3,)),
    ]
    grown, shrunk = found.lesions[:2]
    assert grown.volume_ml.before == pytest.approx(4 / 3 * np.pi * 10**3 / 1000, rel=0.05)
    assert grown.volume_ml.after == pytest.approx(4 / 3 * np.pi * 13**3 / 1000, rel=0.05)
    assert grown.long_axis_mm.before == pytest.approx(20, abs=2)
    assert grown.long_axis_mm.after == pytest.approx(26, abs=2)
    assert grown.doubling_days == pytest.approx(60 / (3 * np.log2(1.3)), rel=0.1)
    assert shrunk.volume_ml.percent == pytest.approx(100 * ((6 / 8) ** 3 - 1), abs=5)
    assert shrunk.doubling_days < 0
    assert found.recist.category == "PD"
    assert found.days == 60


def test_structures_are_compared_as_a_whole(tmp_path):
    found = compare(make_pair(tmp_path))
    liver, tumour = found.structures
    assert liver.structure == "liver"
    assert liver.volume_ml.before == pytest.approx(4 / 3 * np.pi * 40**3 / 1000, rel=0.02)
    drawn = [sum(r**3 for _, r in side) for side in (BEFORE, AFTER)]
    assert tumour.volume_ml.percent == pytest.approx(100 * (drawn[1] / drawn[0] - 1), abs=10)
    assert tumour.match is None
    assert (tumour.long_axis_mm.before, tumour.long_axis_mm.after) == (None, None)
    assert tumour.reasons["long_axis_mm"] == "its pieces are measured one by one"
    assert liver.long_axis_mm.before == pytest.approx(80, abs=2)


def test_without_lesions_there_is_nothing_to_compare_and_no_category(tmp_path):
    found = compare(make_pair(tmp_path, [], []))
    assert found.lesions == ()
    assert found.recist.category is None
    assert found.structures[1].volume_ml.percent is None


def test_all_gone_is_a_complete_response(tmp_path):
    found = compare(make_pair(tmp_path, BEFORE, []))
    assert [one.match.outcome for one in found.lesions] == [Outcome.VANISHED] * 3
    assert found.recist.category == "CR"


def test_two_targets_lie_in_one_organ(tmp_path):
    found = compare(make_pair(tmp_path, BEFORE, BEFORE))
    assert [(one.organ, one.lesion) for one in found.recist.targets] == [("Liver", 1), ("Liver", 2)]
    assert found.recist.category == "SD"


def test_pieces_of_any_label_can_be_matched(tmp_path):
    found = compare(make_pair(tmp_path), structures=["liver outside tumour"])
    assert [(one.structure, one.match.outcome) for one in found.lesions] == [
        ("liver", Outcome.PERSISTED)
    ]


def test_small_lesions_can_be_left_out(tmp_path):
    assert len(compare(make_pair(tmp_path), smallest_ml=1.0).lesions) == 2


def test_what_is_doubtful_is_said(tmp_path, caplog):
    before, after = make_pair(
        tmp_path, [((0, 0, 0), 8), ((-66, 0, 0), 6)], [((-8, 0, 0), 5), ((8, 0, 0), 5)]
    )
    pair = replace(before, patient="one"), replace(after, patient="two", made_by="")
    warnings = compare(pair).warnings
    for words in (
        "different PatientIDs",
        "made by liver 0.1.0 and an unknown bundle",
        "tumour B (earlier 2) reaches the edge of the earlier image: it may go on outside",
        "the lesions of tumour A (earlier 1, later 1+2) have split",
    ):
        assert any(words in one for one in warnings), words
    assert not any("'one'" in one or " two" in one for one in warnings)
    assert [record.getMessage() for record in caplog.records] == list(warnings)


def test_studies_of_two_patients_have_no_category_unless_it_is_asked_for(tmp_path):
    before, after = make_pair(tmp_path)
    pair = replace(before, patient="one"), replace(after, patient="two")
    found = compare(pair).recist
    assert (found.category, "different PatientIDs" in found.reason) == (None, True)
    assert compare(pair, same_patient=True).recist.category is not None


def test_two_studies_of_one_day_are_doubtful(tmp_path):
    warnings = compare(make_pair(tmp_path, day=date(2026, 1, 1))).warnings
    assert any("both studies are of one day (2026-01-01)" in one for one in warnings)


def test_two_studies_with_the_identical_image_are_doubtful(tmp_path):
    pair = make_pair(tmp_path)
    image = draw_body(EARLIER)
    same = [replace(case, image=image.copy()) for case in pair]
    words = "both studies have the identical image, voxel for voxel"
    assert any(words in one for one in compare(same).warnings)
    other = [same[0], replace(same[1], image=image + 1)]
    assert not any(words in one for one in compare(other).warnings)
    assert not any(words in one for one in compare(pair).warnings)


def test_a_structure_has_no_doubling_time_over_new_and_vanished_lesions(tmp_path):
    days = date(2026, 1, 1), date(2026, 3, 2)
    before, after = make_pair(tmp_path)
    _, tumour = compare((replace(before, date=days[0]), replace(after, date=days[1]))).structures
    assert tumour.doubling_days is None
    assert tumour.reasons["doubling_days"].startswith("some of its lesions are in one of the two")
    kept = make_pair(tmp_path, BEFORE[:2], AFTER[:2])
    both = compare((replace(kept[0], date=days[0]), replace(kept[1], date=days[1]))).structures
    assert both[1].doubling_days is not None


def test_a_growth_that_the_axes_hide_is_said(tmp_path):
    two = [((-8, 0, 0), 5), ((8, 0, 0), 5)]
    found = compare(make_pair(tmp_path, two, [((0, 0, 0), 9)]))
    assert found.lesions[0].match.outcome is Outcome.MERGED
    assert any(
        "tumour A (earlier 1+2, later 1): the volume changed by +" in one and "by the axes" in one
        for one in found.warnings
    )
    same_way = compare(make_pair(tmp_path, two, [((-8, 0, 0), 7), ((8, 0, 0), 7)])).warnings
    assert not any("the RECIST category" in one for one in same_way)


def test_a_match_by_distance_alone_is_said(tmp_path):
    found = compare(make_pair(tmp_path, [((0, 0, 0), 5)], [((12, 0, 0), 5)]))
    assert "do not overlap and are 12.0 mm apart" in " ".join(found.warnings)


@pytest.mark.parametrize(("radius", "is_small"), [(3, True), (8, False)])
def test_a_small_new_lesion_is_said_since_it_makes_a_progression(radius, is_small, tmp_path):
    found = compare(
        make_pair(tmp_path, [((-20, 0, 0), 9)], [((-20, 0, 0), 9), ((20, 0, 0), radius)])
    )
    assert found.recist.category == "PD"
    assert (
        any("tumour B (later 2) is new and less than 10 mm long" in one for one in found.warnings)
        is is_small
    )


def test_one_label_map_is_no_pair(tmp_path):
    before, _ = make_pair(tmp_path)
    with pytest.raises(ValueError, match=r"are one label map, .*a\.nii\.gz: name two studies"):
        compare((before, before))


def test_exchanged_studies_are_refused(tmp_path):
    before, after = make_pair(tmp_path)
    pair = replace(before, date=date(2026, 2, 1)), replace(after, date=date(2026, 1, 1))
    with pytest.raises(ValueError, match=r"an earlier day \(2026-01-01\) .*: exchange them"):
        compare(pair)


def test_masks_of_other_labels_are_refused(tmp_path):
    before, after = make_pair(tmp_path)
    with pytest.raises(ValueError, match="must have the same labels"):
        compare((before, replace(after, labels=make_table(["spleen", "cyst"]))))


def test_registration_without_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match="registration needs the images"):
        compare_studies(*make_pair(tmp_path))


@pytest.mark.long
@pytest.mark.realdata
def test_a_liver_with_tumours_that_moved_and_changed(data_root, tmp_path):
    """A real CT, reduced, is turned and shifted; its largest tumour is eroded, and one is drawn."""
    folder = data_root / "liver_ct" / "ircad_01"
    (image, grid), (label, _) = (load(folder / f"{n}.nii.gz") for n in ("image", "label"))
    affine = grid.affine.copy()
    affine[:, :2] *= 2
    image, label = image[::2, ::2], np.round(label[::2, ::2]).astype(np.uint8)
    grid = Geometry(image.shape, affine)
    true = _turn_about_middle(grid)
    changed, radius = _change_lesions(label, grid)
    before = _make_real_case(tmp_path / "a.nii.gz", image, label, grid)
    moved = [_move(array, grid, true, order=order) for array, order in ((image, 1), (changed, 0))]
    after = _make_real_case(tmp_path / "b.nii.gz", *moved, grid)
    found = compare_studies(before, after, smallest_ml=0.05)
    degrees, millimetres = measure_error(found.registration.matrix, true, grid)
    assert degrees < 0.1
    assert millimetres < 0.5
    largest = next(one for one in found.lesions if 1 in one.match.before)
    assert largest.match.outcome is Outcome.PERSISTED
    expected = np.count_nonzero(_find_largest(changed)) / np.count_nonzero(_find_largest(label)) - 1
    assert largest.volume_ml.percent == pytest.approx(100 * expected, abs=3)
    (new,) = (one for one in found.lesions if one.match.outcome is Outcome.NEW)
    assert new.volume_ml.after == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=0.05)
    assert new.long_axis_mm.after == pytest.approx(2 * radius, abs=1.5)
    assert found.recist.category == "PD"


def _turn_about_middle(grid):
    about = make_motion(degrees=(3.0, -2.0, 5.0))[:3, :3]
    middle = grid.voxel_to_world((np.array(grid.shape) - 1) / 2)
    true = np.eye(4)
    true[:3, :3], true[:3, 3] = about, middle + np.array([9.0, -12.0, 14.0]) - about @ middle
    return true


def _find_largest(label):
    pieces, count = ndimage.label(label == 2, np.ones((3, 3, 3)))
    return pieces == 1 + np.argmax(np.bincount(pieces.ravel(), minlength=count + 1)[1:])


def _change_lesions(label, grid):
    """The largest tumour loses its outer layer, and a sphere of 8 mm grows in the liver."""
    changed, radius = label.copy(), 8.0
    largest = _find_largest(label)
    changed[largest & ~ndimage.binary_erosion(largest)] = 1
    depth = ndimage.distance_transform_edt(label == 1, sampling=grid.spacing_mm)
    points = grid.voxel_to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    centre = points[np.unravel_index(depth.argmax(), depth.shape)]
    changed[np.linalg.norm(points - centre, axis=-1) <= radius] = 2
    return changed, radius


def _move(array, grid, matrix, *, order):
    index = np.linalg.inv(grid.affine) @ np.linalg.inv(matrix) @ grid.affine
    outside = array.min()
    return ndimage.affine_transform(
        array, index[:3, :3], index[:3, 3], order=order, cval=outside, mode="constant"
    )


def _make_real_case(place: Path, image, mask, grid):
    file = save(mask, grid, place)
    table = make_table(CLASSES)
    return Case(place.stem, file, mask, grid, table, image, None, None, "", "")
