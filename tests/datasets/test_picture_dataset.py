"""Tests of medseg.datasets.picture_dataset: which cases of a converted set are for testing."""

import pytest
from datasets.published import items, listed

from medseg.datasets.picture_dataset import PictureDataset


def dataset(*, tests):
    """Ten pictures of a patient each, of which the last ones are published for testing."""

    def convert(source, out):
        made = items(out, 10)
        return made[: 10 - tests], made[10 - tests :]

    return PictureDataset("toy", convert, label_values=(0, 255), test_share=0.3)


@pytest.mark.parametrize(("tests", "tested"), [(0, 3), (2, 2)])
def test_a_share_is_held_out_where_no_test_cases_are_published(tests, tested, tmp_path):
    assert dataset(tests=tests).prepare(tmp_path / "source", tmp_path / "out") == 10
    training, testing = listed(tmp_path / "out")
    assert (len(training), len(testing)) == (10 - tested, tested)


def test_a_folder_of_another_set_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "datalist.json").write_text('{"name": "other"}')
    with pytest.raises(ValueError, match=r"holds datalist\.json of dataset other"):
        dataset(tests=0).prepare(tmp_path / "source", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["datalist.json"]
