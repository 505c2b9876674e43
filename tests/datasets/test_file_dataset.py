"""Tests of medseg.datasets.file_dataset: what a record leaves to each dataset and what it does."""

import pytest
from datasets.published import items

from medseg.datasets.file_dataset import FileDataset

SECTIONS = ("training", "validation", "test")


def dataset(**options):
    """Ten pictures of a patient each, of which the last two are published for testing."""

    def find_cases(root):
        if not root.is_dir():
            return [], []
        made = items(root, 10)
        for item in made:
            item |= {key: str(root / item[key]) for key in ("image", "label")}
        return made[:8], made[8:]

    given = {"label_values": (0, 255), "looked_for": "pictures", "give": "the set"}
    folders = {"image": "images", "label": "masks"}
    return FileDataset("toy", find_cases, **given, folders=folders, **options)


def names(found):
    return [item["case"] for item in found]


def test_published_test_cases_are_for_testing_beside_those_held_out(tmp_path):
    assert names(dataset().list_cases(tmp_path, "test")) == ["p08", "p09"]
    held = dataset(test_share=0.25)
    tested = names(held.list_cases(tmp_path, "test", seed=3))
    assert len(tested) == 4
    assert tested[2:] == ["p08", "p09"]
    assert names(held.list_cases(tmp_path, "test", fold=1, seed=3)) == tested


@pytest.mark.parametrize("share", [None, 0.25])
def test_a_prepared_folder_has_the_sections_of_the_published_one(tmp_path, share):
    made, source, out = dataset(test_share=share), tmp_path / "source", tmp_path / "out"
    source.mkdir()
    assert made.prepare(source, out) == 10
    assert made.list_cases(out)[0]["image"].startswith(str(out))
    for section in SECTIONS:
        published, prepared = (
            made.list_cases(root, section, fold=1, folds=3) for root in (source, out)
        )
        assert sorted(names(published)) == sorted(names(prepared))


def test_where_nothing_is_found_the_message_says_what_to_give(tmp_path):
    told = r"^no toy data found, \S+/absent does not exist: give the set with --dataset"
    with pytest.raises(FileNotFoundError, match=told):
        dataset().list_cases(tmp_path / "absent")
    free = rf"or make a synthetic set with `medseg phantom ct --out {tmp_path}/absent`$"
    with pytest.raises(FileNotFoundError, match=free):
        dataset(phantom="ct").list_cases(tmp_path / "absent")
