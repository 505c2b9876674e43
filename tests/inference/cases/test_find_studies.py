"""Tests of medseg.inference.cases.find_studies: DICOM studies whose series are channels."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from datasets.own.dicom.made_studies import make_image, write_image, write_study

from medseg.inference import find_channel_cases
from medseg.ingest import find_series, load
from medseg.ingest.reader import VolumeReader

CHANNELS = ["flair", "t1"]


@pytest.fixture
def studies(tmp_path):
    for patient in range(2):
        write_study(tmp_path / "in", patient)
    return tmp_path / "in"


def test_each_study_is_a_case_named_by_its_folder_with_its_series_in_place(studies):
    cases = find_channel_cases(studies, CHANNELS)
    assert [case["case"] for case in cases] == ["p0", "p1"]
    for patient, case in enumerate(cases):
        for path, sign in zip(case["image"], (-1, 1), strict=True):
            np.testing.assert_array_equal(load(path)[0], make_image(patient, sign=sign).T)
        shutil.copytree(studies / f"p{patient}", studies.parent / "one" / f"p{patient}")
        (alone,) = find_channel_cases(studies / f"p{patient}", CHANNELS)
        (below,) = find_channel_cases(studies.parent / "one", CHANNELS)
        assert below["case"] == case["case"]
        shutil.rmtree(studies.parent / "one")
        assert alone["case"] == case["case"]
        series = [Path(path).name for path in case["image"]]
        assert [Path(path).name for path in alone["image"]] == series


def test_the_reader_puts_the_series_of_a_case_on_top_of_each_other(studies):
    (case,) = find_channel_cases(studies / "p1", CHANNELS)
    image, _ = VolumeReader().get_data([Path(path) for path in case["image"]])
    for channel, sign in zip(image, (-1, 1), strict=True):
        np.testing.assert_array_equal(channel, make_image(1, sign=sign).T)


def test_the_log_names_series_by_number_alone(studies, caplog):
    caplog.set_level("INFO")
    find_channel_cases(studies / "p0", CHANNELS)
    told = "channels of p0: flair series 7 (MR, 12 slices), t1 series 4 (MR, 12 slices)"
    assert told in caplog.text
    assert "Mustermann" not in caplog.text
    assert "1.2.840" not in caplog.text


def test_patterns_tell_series_whose_descriptions_have_no_such_words(studies):
    with pytest.raises(ValueError, match=r"p0: none of its series is the channel a or b: say wh"):
        find_channel_cases(studies / "p0", ["a", "b"])
    (case,) = find_channel_cases(studies / "p0", ["a", "b"], series={"a": "*fs", "b": ["x", "4"]})
    numbers = {s.uid: s.slices[0].origin.series_number for s in find_series(studies / "p0")}
    assert [numbers[Path(path).name] for path in case["image"]] == ["7", "4"]


def test_a_missing_channel_is_refused_unless_it_is_allowed(studies):
    shutil.rmtree(studies / "p0" / "flair")
    with pytest.raises(ValueError, match=r"missing in 1 of 2 cases \(p0 has no flair\): add it"):
        find_channel_cases(studies, CHANNELS, channel_dropout=0.2)
    options = {"allow_missing": True, "channel_dropout": 0.2}
    first, second = find_channel_cases(studies, CHANNELS, **options)
    assert [bool(path) for path in first["image"]] == [False, True]
    assert all(second["image"])


def test_two_series_of_one_channel_are_refused(studies):
    image = make_image(0, sign=1)
    write_image(studies / "p0" / "more", 0, image, description="T1 Mustermann", number=9)
    with pytest.raises(
        ValueError, match=r"p0: series 4 .* and series 9 .* are both the cha"
    ) as told:
        find_channel_cases(studies, CHANNELS)
    assert "Mustermann" not in str(told.value)
    write_image(studies / "p0" / "more", 0, image, description="T1 Mustermann", number=9)
    cases = find_channel_cases(studies / "p0", CHANNELS, series={"t1": "4"})
    assert len(cases) == 1


def test_several_studies_in_one_folder_are_refused(studies):
    for patient in range(2):
        for folder in list((studies / f"p{patient}").iterdir()):
            shutil.move(folder, studies / f"{patient}_{folder.name}")
        (studies / f"p{patient}").rmdir()
    with pytest.raises(ValueError, match=r"holds 2 studies, and not each in a folder of its"):
        find_channel_cases(studies, CHANNELS)


def test_a_reader_of_one_series_is_refused(studies):
    for options in ({"choose": 4}, {"choose": "all"}, {"series_uid": "1.2.3.4"}):
        with pytest.raises(ValueError, match="--series names one series, and the network takes"):
            find_channel_cases(studies, CHANNELS, reader=VolumeReader(**options))


def test_a_folder_of_neither_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(ValueError, match="files and no DICOM series: give a folder"):
        find_channel_cases(tmp_path, CHANNELS)
