"""Tests of medseg.inference.preview.source: an image is read again, and nothing is said twice."""

import logging
from threading import Thread

import numpy as np
import pytest
from ingest.dicom_writer import make_series, write_series
from monai.transforms import LoadImaged

from medseg.inference.preview.source import read_again, silence_thread
from medseg.ingest.reader import VolumeReader

PACKAGE, OTHER = "medseg.a_package", "medseg.a_package_of_another_name"


def test_the_values_of_the_file_are_read_again_and_what_its_reader_says_is_said_once(
    tmp_path, caplog
):
    datasets = make_series()
    for dataset in datasets:
        dataset.SeriesInstanceUID = ""
    write_series(tmp_path / "ct", datasets)
    image = LoadImaged("image", reader=VolumeReader())({"image": str(tmp_path / "ct")})["image"]
    said = about_series(caplog)
    assert len(said) == 1
    values = read_again(image, VolumeReader())
    np.testing.assert_array_equal(values, image.numpy())
    assert about_series(caplog) == said


def about_series(caplog):
    """What was logged of the missing Series Instance UID."""
    texts = [record.getMessage() for record in caplog.records]
    return [text for text in texts if "Series Instance" in text]


@pytest.fixture
def say(caplog):
    """Logs a text and gives all texts that were logged so far."""
    caplog.set_level(logging.INFO)
    for name in (PACKAGE, f"{PACKAGE}.module", OTHER):
        logging.getLogger(name)

    def log(name, text):
        logging.getLogger(name).info(text)
        return [record.getMessage() for record in caplog.records]

    return log


def test_a_package_and_its_modules_are_silent_within_the_block_alone(say):
    with silence_thread(PACKAGE):
        assert say(PACKAGE, "1") == say(f"{PACKAGE}.module", "2") == []
    assert say(PACKAGE, "3") == ["3"]
    assert say(f"{PACKAGE}.module", "4") == ["3", "4"]


def test_other_packages_are_heard(say):
    with silence_thread(PACKAGE):
        assert say(OTHER, "1") == ["1"]


def test_other_threads_are_heard(say):
    with silence_thread(PACKAGE):
        thread = Thread(target=say, args=(PACKAGE, "from elsewhere"))
        thread.start()
        thread.join()
        assert say(PACKAGE, "from here") == ["from elsewhere"]


def test_an_error_ends_the_silence(say):
    with pytest.raises(OSError, match="disk"), silence_thread(PACKAGE):
        raise OSError("disk")
    assert say(PACKAGE, "heard") == ["heard"]
