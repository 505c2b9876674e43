"""Tests of medseg.datasets.phantom.street: the phantoms' layouts, their masks, what they depend
on."""

import pytest
from datasets.phantom.written_files import read_picture

from medseg.datasets.phantom import street
from medseg.datasets.phantom.canvas import Grid

GRID = Grid(48, 1, 1.0)
WRITERS = pytest.mark.parametrize("write", [street.write_road, street.write_city])


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.png")}


def test_the_road_set_has_kittis_names(tmp_path):
    street.write_road(tmp_path, GRID, cases=4, test_cases=2, seed=0)
    images = ["um_000000", "umm_000000", "uu_000000", "um_000016"]
    truths = ["um_road_000000", "umm_road_000000", "uu_road_000000", "um_road_000016"]
    lanes = ["um_lane_000000", "um_lane_000016"]
    assert set(contents(tmp_path)) == {
        *(f"training/image_2/{name}.png" for name in images),
        *(f"training/gt_image_2/{name}.png" for name in truths + lanes),
        *(f"testing/image_2/{name}.png" for name in images[:2]),
    }


def test_the_city_set_has_the_names_of_cityscapes_and_a_city_more_than_folds(tmp_path):
    street.write_city(tmp_path, GRID, cases=8, test_cases=1, seed=0)
    ids = {p.name for p in tmp_path.glob("gtFine/train/*/*_gtFine_labelIds.png")}
    images = {p.name for p in tmp_path.glob("leftImg8bit/train/*/*_leftImg8bit.png")}
    assert len(ids) == len(images) == 8
    assert "aachen_000001_000019_gtFine_labelIds.png" in ids  # the eighth, of the first city again
    assert len(list((tmp_path / "gtFine" / "train").iterdir())) == 7
    assert (tmp_path / "gtFine/val/frankfurt/frankfurt_000000_000019_gtFine_labelIds.png").is_file()


@WRITERS
def test_the_same_seed_gives_the_same_files_and_another_one_other_files(tmp_path, write):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write(tmp_path / name, GRID, cases=2, test_cases=1, seed=seed)
    first, again, other = (contents(tmp_path / name) for name in "abc")
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)


@WRITERS
def test_a_case_does_not_depend_on_how_many_others_there_are(tmp_path, write):
    write(tmp_path / "few", GRID, cases=2, test_cases=1, seed=0)
    write(tmp_path / "many", GRID, cases=9, test_cases=3, seed=0)
    few, many = contents(tmp_path / "few"), contents(tmp_path / "many")
    assert few.items() <= many.items()


def test_sizes_are_rows_by_twice_or_3_3_times_as_many_columns(tmp_path, city):
    labels, images = city
    assert {array.shape for array in labels} == {(48, 96)}
    assert {array.shape for array in images} == {(48, 96, 3)}
    street.write_road(tmp_path / "r", GRID, cases=3, test_cases=0, seed=0)
    sizes = [read_picture(p).shape for p in sorted((tmp_path / "r/training/image_2").iterdir())]
    assert sizes == [(48, 158, 3), (48, 156, 3), (48, 154, 3)]  # they vary, as in KITTI


def test_the_truth_is_in_kittis_colours_and_the_own_lane_is_part_of_the_road(tmp_path):
    street.write_road(tmp_path, GRID, cases=3, test_cases=0, seed=0)
    folder = tmp_path / "training" / "gt_image_2"
    seen = set()
    for path in folder.iterdir():
        seen |= set(map(tuple, read_picture(path).reshape(-1, 3).tolist()))
    assert seen == {(255, 0, 0), (255, 0, 255), (0, 0, 0)}
    lane, road = (
        read_picture(folder / f"um_{what}_000000.png")[..., 2] > 0 for what in ("lane", "road")
    )
    assert 0 < lane.sum() < road.sum()
    assert not (lane & ~road).any()
