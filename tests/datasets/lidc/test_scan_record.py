"""Tests of medseg.datasets.lidc.scan_record: a second run does what is left and what changed."""

import json
import os
import shutil

import nibabel as nib
import numpy as np
import pydicom
import pytest
from datasets.lidc.small_collection import (
    PATIENTS,
    brighten,
    find_one,
    list_patches,
    prepare_small,
    read_contents,
    read_dates,
    read_table,
)

from medseg.ingest import read_series as _read_series


def test_a_second_run_changes_nothing_and_reads_no_image(done, published, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(done[0], out)
    before = read_contents(out)

    def read(series):
        raise AssertionError("an image was read again")

    assert prepare_small(published, out, read_series=read) == done[1]
    assert read_contents(out) == before


def test_an_interrupted_run_ends_with_the_files_of_one_that_was_not(done, published, tmp_path):
    read = []

    def fails_at_the_third(series):
        read.append(series)
        if len(read) == 3:
            raise KeyboardInterrupt
        return _read_series(series)

    with pytest.raises(KeyboardInterrupt):
        prepare_small(published, tmp_path / "out", read_series=fails_at_the_third)
    assert not (tmp_path / "out/nodules.csv").exists()
    assert prepare_small(published, tmp_path / "out") == done[1]
    assert read_contents(tmp_path / "out") == read_contents(done[0])


def test_a_lost_file_is_made_again(done, published, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(done[0], out)
    find_one(out / "patches/labels", "*").unlink()
    prepare_small(published, out)
    assert read_contents(out) == read_contents(done[0])


def test_a_corrected_xml_is_read_again(collection, tmp_path):
    before = prepare_small(collection, tmp_path / "out")
    path = find_one(collection)
    text = path.read_text()
    start = text.index("<unblindedReadNodule>")
    end = text.index("</readingSession>")
    path.write_text(text[:start] + text[end:])  # the first reader marks nothing
    after = prepare_small(collection, tmp_path / "out")
    rows = [r for r in read_table(tmp_path / "out/nodules.csv") if r["patient"] == "LIDC-IDRI-9001"]
    assert after.cases == before.cases
    assert max(int(row["readers"]) for row in rows) == 3


def test_values_changed_at_equal_size_and_date_reach_the_patches(collection, tmp_path):
    prepare_small(collection, tmp_path / "out")
    before = {path: nib.load(path).get_fdata() for path in list_patches(tmp_path / "out")}
    for file in collection.glob("LIDC-IDRI-9001/*/*/*.dcm"):
        brighten(file)
    prepare_small(collection, tmp_path / "out")
    assert before.keys() == set(list_patches(tmp_path / "out"))
    for path, values in before.items():
        rise = 100 if path.name.startswith("LIDC-IDRI-9001") else 0
        inside = values > -1024  # what is beyond the image stays air
        assert np.allclose((nib.load(path).get_fdata() - values)[inside], rise)


def test_a_ct_of_other_dates_and_names_is_not_read_again(collection, tmp_path):
    prepare_small(collection, tmp_path / "out")
    for number, file in enumerate(collection.rglob("*.dcm")):
        os.utime(file, (0, 0))
        file.rename(file.with_name(f"renamed{number}.dcm"))

    def read(series):
        raise AssertionError("an image was read again")

    assert prepare_small(collection, tmp_path / "out", read_series=read).cases == PATIENTS


@pytest.mark.parametrize("change", ["values", "size"])
def test_a_changed_ct_is_read_again_and_no_other(collection, tmp_path, change):
    prepare_small(collection, tmp_path / "out")
    before, read = read_dates(tmp_path / "out"), []
    first = find_one(collection, "*.dcm")
    if change == "values":
        brighten(first)
    else:
        dataset = pydicom.dcmread(first)
        dataset.SeriesDescription = "corrected"
        dataset.save_as(first)

    def noted(series):
        read.append(series.uid)
        return _read_series(series)

    prepare_small(collection, tmp_path / "out", read_series=noted)
    made = {path for path, date in read_dates(tmp_path / "out").items() if before.get(path) != date}
    assert len(read) == 1
    assert {path.name[:14] for path in made} == {"LIDC-IDRI-9001"}


def test_a_record_of_before_images_were_noted_is_made_again(done, published, tmp_path):
    shutil.copytree(done[0], tmp_path / "out")
    path = find_one(tmp_path / "out/records", "*.json")
    record = json.loads(path.read_text())
    del record["images"]
    path.write_text(json.dumps(record))
    prepare_small(published, tmp_path / "out")
    assert read_contents(tmp_path / "out") == read_contents(done[0])


def test_an_interrupted_correction_is_no_scan_that_is_done(collection, tmp_path, monkeypatch):
    prepare_small(collection, tmp_path / "out")
    first = find_one(collection, "*.dcm")
    content = first.read_bytes()
    brighten(first)

    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("medseg.datasets.lidc.scan_record.convert", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare_small(collection, tmp_path / "out")
    first.write_bytes(content)  # the correction is taken back
    read = []
    prepare_small(
        collection, tmp_path / "out", read_series=lambda s: read.append(1) or _read_series(s)
    )
    assert read == [1]
