"""Tests of medseg.ingest.dicom.channel_series: which series of a study are which channel."""

import pydicom
import pytest
from ingest.dicom_writer import make_series, write_series

from medseg.ingest import IngestError, find_series
from medseg.ingest.dicom.channel_series import find_channel_series


def write(folder, description, number, *, modality="MR", frame="1.2.3.9"):
    slices = make_series(uid=f"1.2.3.{number}")
    for place, dataset in enumerate(slices):
        dataset.SeriesDescription, dataset.SeriesNumber = description, number
        dataset.Modality, dataset.FrameOfReferenceUID = modality, frame
        dataset.SOPClassUID = pydicom.uid.UID(
            f"1.2.840.10008.5.1.4.1.1.{ {'MR': '4', 'CT': '2', 'PT': '128'}[modality] }"
        )
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.SOPInstanceUID = f"1.2.3.{number}.{place}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        if modality == "PT":
            dataset.Units = "BQML"
    write_series(folder / str(number), slices)


def find(folder, channels, patterns=None):
    """Channel -> number of its series."""
    found = find_channel_series(find_series(folder), channels, patterns)
    return {name: int(series.slices[0].origin.series_number) for name, series in found.items()}


@pytest.fixture
def brain(tmp_path):
    for number, name in enumerate(("AX T1", "ax_t1_post GD", "SAG FLAIR", "T2W tse"), start=1):
        write(tmp_path, name, number)
    return tmp_path


def test_words_of_the_description_tell_and_the_longest_name_counts(brain):
    assert find(brain, ["flair", "t1", "t1_post"]) == {"flair": 3, "t1": 1, "t1_post": 2}
    assert find(brain, ["flair", "t2"]) == {"flair": 3}


def test_the_first_channel_whose_pattern_fits_has_the_series(brain):
    patterns = {"c": ["*POST*", "*km*"], "n": "*t1*", "w": "4"}
    assert find(brain, ["c", "n", "w"], patterns) == {"c": 2, "n": 1, "w": 4}
    assert find(brain, ["c", "flair"], {"c": "*post*"}) == {"c": 2, "flair": 3}
    with pytest.raises(ValueError, match=r"channel_series has the name c, and the channels are t1"):
        find(brain, ["t1"], {"c": "*"})


def test_a_modality_tells_a_channel_whatever_the_description_says(tmp_path):
    write(tmp_path, "CT for PET", 1, modality="CT")
    write(tmp_path, "WB CT AC", 2, modality="PT")
    assert find(tmp_path, ["ct", "pet"]) == {"ct": 1, "pet": 2}
    assert find(tmp_path, ["a", "b"], {"a": "pt", "b": "CT"}) == {"a": 2, "b": 1}


def test_a_series_of_two_parts_of_one_channel_is_refused_by_numbers(brain):
    with pytest.raises(ValueError, match=r"^series 1 \(MR, 5 slices\) and series 2 \(MR, 5 slices"):
        find(brain, ["t1"])


def test_series_without_one_frame_of_reference_are_refused(tmp_path):
    write(tmp_path, "T1", 1)
    write(tmp_path, "FLAIR", 2, frame="1.2.3.8")
    assert find(tmp_path, ["t1"]) == {"t1": 1}
    with pytest.raises(ValueError, match=r"t1, series 1 .*, and flair, series 2 .* do not lie"):
        find(tmp_path, ["t1", "flair"])


def test_a_damaged_file_may_be_of_any_channel(brain):
    file = next((brain / "4").glob("*.dcm"))
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(IngestError):
        find(brain, ["flair", "t1_post"])


def test_a_refused_series_is_told_with_its_channel(brain):
    (series,) = find_series(brain / "3")
    series.files[2].unlink()
    with pytest.raises(ValueError, match=r"the series of the channel flair is refused: .*slice"):
        find(brain, ["flair", "t1_post"])
