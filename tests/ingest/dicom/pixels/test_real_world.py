"""Tests of medseg.ingest.dicom.pixels.real_world: values that only a real world value mapping
gives."""

from __future__ import annotations

import highdicom
import numpy as np
import pytest
from ingest.dicom_writer import make_enhanced, make_series, ramp, write_series
from pydicom import Dataset
from pydicom.uid import (
    EnhancedMRImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

from medseg.ingest import IngestError, Reason, Verdict, find_series, load

STORED = ramp() + 1


def mapping(slope=1.0, intercept=0.0, *, first=0, last=65535, unit="1", table=False):
    item, code = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = unit, "UCUM", "a unit"
    item.LUTLabel, item.LUTExplanation = "label", "what it is"
    item.MeasurementUnitsCodeSequence = [code]
    item.add_new("RealWorldValueFirstValueMapped", "US", first)
    item.add_new("RealWorldValueLastValueMapped", "US", last)
    if table:
        item.RealWorldValueLUTData = [float(n) for n in range(first, last + 1)]
    else:
        item.RealWorldValueSlope, item.RealWorldValueIntercept = slope, intercept
    return item


def mr(mappings, *, rescale=None, modality="MR"):
    """MR slices; the k-th has the mappings that `mappings(k)` gives, and a rescale of its own."""
    slices = make_series(STORED.astype(np.uint16), uid="1.2.3")
    for k, s in enumerate(slices):
        del s.RescaleSlope, s.RescaleIntercept, s.RescaleType
        s.InstanceNumber, s.PatientName = k + 1, "A"
        if modality == "MR":
            s.SOPClassUID, s.Modality = MRImageStorage, modality
        if found := mappings(k):
            s.RealWorldValueMappingSequence = found
        if rescale is not None:
            s.RescaleSlope, s.RescaleIntercept = rescale(k)
    return slices


def growing(k):
    return [mapping(1 + k / 2, 10.0 * k)]


def in_the_file(slices):
    return slices


def in_frames(slices):
    whole = make_enhanced(slices, EnhancedMRImageStorage)
    del whole.RealWorldValueMappingSequence
    for group, s in zip(whole.PerFrameFunctionalGroupsSequence, slices, strict=True):
        del group.PixelValueTransformationSequence
        group.RealWorldValueMappingSequence = s.RealWorldValueMappingSequence
    return [whole]


EXPECTED = STORED * (1 + np.arange(5) / 2)[:, None, None] + 10.0 * np.arange(5)[:, None, None]


@pytest.mark.parametrize("put", [in_the_file, in_frames])
def test_a_mapping_of_each_slice_gives_its_values(put, tmp_path):
    write_series(tmp_path, put(mr(growing)))
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.REAL_WORLD_VALUES)
    np.testing.assert_allclose(load(tmp_path)[0], EXPECTED.transpose(2, 1, 0), rtol=1e-6)


def test_highdicom_reads_the_same(tmp_path):
    paths = write_series(tmp_path, mr(growing), shuffle_seed=None)
    frames = [highdicom.imread(p).get_frame(1, apply_real_world_transform=True) for p in paths]
    np.testing.assert_allclose(load(tmp_path)[0], np.stack(frames).transpose(2, 1, 0), rtol=1e-6)


def test_a_mapping_that_all_frames_share_is_applied(tmp_path):
    slices = mr(lambda k: [mapping(0.25, -3.0)])
    whole = make_enhanced(slices, EnhancedMRImageStorage)
    for group in whole.PerFrameFunctionalGroupsSequence:
        del group.PixelValueTransformationSequence
    del whole.RealWorldValueMappingSequence
    shared = whole.SharedFunctionalGroupsSequence[0]
    shared.RealWorldValueMappingSequence = slices[0].RealWorldValueMappingSequence
    write_series(tmp_path, [whole])
    expected = STORED.transpose(2, 1, 0) * 0.25 - 3
    np.testing.assert_array_equal(load(tmp_path)[0], expected.astype(np.float32))


def test_a_rescale_that_changes_nothing_leaves_the_mapping(tmp_path):
    write_series(tmp_path, mr(growing, rescale=lambda k: (1, 0)))
    np.testing.assert_allclose(load(tmp_path)[0], EXPECTED.transpose(2, 1, 0), rtol=1e-6)


def test_a_rescale_that_is_the_mapping_of_each_slice_may_be_1_and_0_in_one(tmp_path):
    """Of the first slice both change nothing; a rescale that is no mapping is refused."""
    write_series(tmp_path / "same", mr(growing, rescale=lambda k: (1 + k / 2, 10.0 * k)))
    np.testing.assert_allclose(load(tmp_path / "same")[0], EXPECTED.transpose(2, 1, 0))
    write_series(tmp_path / "other", mr(growing, rescale=lambda k: (1 + k, 10.0 * k)))
    with pytest.raises(IngestError, match="4 of 5 slices lack") as error:
        load(tmp_path / "other")
    assert error.value.code is Reason.CONFLICTING_RESCALE


def test_one_slice_whose_rescale_changes_nothing_is_in_the_scale_of_the_others(tmp_path):
    """The mapping is three times the rescale, which is 1 and 0 in the first slice."""
    slices = mr(lambda k: [mapping(3 * (1 + k / 2))], rescale=lambda k: (1 + k / 2, 0))
    write_series(tmp_path, slices)
    volume, _ = load(tmp_path)
    factors = 1 + np.arange(len(STORED)) / 2
    np.testing.assert_allclose(volume.transpose(2, 1, 0), STORED * factors[:, None, None])


def test_one_slice_whose_mapping_is_of_another_scale_is_refused(tmp_path):
    slices = mr(lambda k: [mapping(3 * (1 + k / 2) if k else 5)], rescale=lambda k: (1 + k / 2, 0))
    write_series(tmp_path, slices)
    with pytest.raises(IngestError, match="lack the real world mapping"):
        load(tmp_path)


def test_a_rescale_and_the_same_mapping_in_another_unit_agree(tmp_path):
    """The rescale goes first: slope 2 + k and intercept 5, of which the mapping is a thousandth."""
    slices = mr(lambda k: [mapping((2 + k) / 1000, 0.005)], rescale=lambda k: (2 + k, 5))
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.notes) == (Verdict.ACCEPT, ())
    expected = STORED * (2 + np.arange(5))[:, None, None] + 5
    np.testing.assert_array_equal(load(tmp_path)[0], expected.transpose(2, 1, 0))


def check_refused(slices, words, folder):
    write_series(folder, slices)
    (series,) = find_series(folder)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, Reason.CONFLICTING_RESCALE)
    assert words in series.message


def test_a_rescale_that_differs_from_the_mapping_slice_by_slice_is_refused(tmp_path):
    check_refused(mr(growing, rescale=lambda k: (2, 0)), "differ from slice to slice", tmp_path)


@pytest.mark.parametrize(
    ("mappings", "words"),
    [
        (lambda k: [mapping(1.0 + k), mapping(2.0 + k)], "2 mappings to real world values"),
        (
            lambda k: [mapping(last=300, table=True)],
            "a mapping that is not linear to real world values",
        ),
        (lambda k: growing(k) if k != 2 else [], "1 of 5 slices lack the real world mapping"),
    ],
)
def test_what_gives_no_one_value_is_refused(mappings, words, tmp_path):
    check_refused(mr(mappings), words, tmp_path)


def test_values_beyond_the_range_that_is_mapped_are_refused(tmp_path):
    write_series(tmp_path, mr(lambda k: [mapping(2.0, last=100)]))
    assert find_series(tmp_path)[0].reason is Reason.CONFLICTING_RESCALE
    with pytest.raises(IngestError, match="is for 0 to 100") as error:
        load(tmp_path)
    assert error.value.code is Reason.CONFLICTING_RESCALE


def test_two_units_are_refused(tmp_path):
    write_series(tmp_path, mr(lambda k: [mapping(2.0, unit="ms" if k else "s")]))
    assert find_series(tmp_path)[0].reason is Reason.MIXED_RESCALE_TYPE


# ---- CT


def test_ct_without_rescale_takes_a_mapping_to_hu(tmp_path):
    hu = lambda k: [mapping(1.0, -1024.0, unit="[hnsf'U]"), mapping(9.0, unit="1")]  # noqa: E731
    write_series(tmp_path, mr(hu, modality="CT"))
    np.testing.assert_array_equal(load(tmp_path)[0], STORED.transpose(2, 1, 0) - 1024)


def test_ct_without_rescale_takes_no_mapping_to_another_unit(tmp_path):
    write_series(tmp_path, mr(growing, modality="CT"))
    assert find_series(tmp_path)[0].reason is Reason.MISSING_RESCALE


def test_ct_of_two_ways_to_hu_is_refused(tmp_path):
    """Such as a rescale that was set to 1 and 0, beside a mapping that still takes 1024 off."""
    hu = lambda k: [mapping(1.0, -1024.0, unit="[hnsf'U]")]  # noqa: E731
    slices = mr(hu, rescale=lambda k: (1, 0), modality="CT")
    check_refused(slices, "intercept -1024 to HU by its mapping, 1 and 0 by its", tmp_path / "two")
    write_series(tmp_path / "one", mr(hu, rescale=lambda k: (1, -1024), modality="CT"))
    assert find_series(tmp_path / "one")[0].notes == ()


def test_ct_of_a_rescale_is_in_hu_whatever_is_mapped(tmp_path):
    write_series(tmp_path, mr(growing, rescale=lambda k: (1, -1000), modality="CT"))
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.notes) == (Verdict.ACCEPT, ())
    np.testing.assert_array_equal(load(tmp_path)[0], STORED.transpose(2, 1, 0) - 1000)


# ---- PET


def pet(mappings, *, units="BQML", rescale=None):
    slices = mr(mappings, rescale=rescale)
    for s in slices:
        s.SOPClassUID, s.Modality = PositronEmissionTomographyImageStorage, "PT"
        if units:
            s.Units = units
    return slices


def to_units(k):
    return [mapping(1 + k / 2, 10.0 * k, unit="Bq/ml")]


def to_two_units(k):
    return [mapping(7.0 + k, unit="{SUVbw}g/ml"), *to_units(k)]


@pytest.mark.parametrize(
    ("mappings", "units"), [(to_units, "BQML"), (to_units, ""), (to_two_units, "BQML")]
)
def test_pet_without_rescale_takes_the_mapping_to_its_units(mappings, units, tmp_path):
    write_series(tmp_path, pet(mappings, units=units))
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.REAL_WORLD_VALUES)
    np.testing.assert_allclose(load(tmp_path)[0], EXPECTED.transpose(2, 1, 0), rtol=1e-6)


@pytest.mark.parametrize(
    ("mappings", "units", "reason"),
    [
        (to_units, "CNTS", Reason.MISSING_RESCALE),
        (to_two_units, "", Reason.MISSING_RESCALE),
        (lambda k: [mapping(last=300, table=True)], "BQML", Reason.MISSING_RESCALE),
        (lambda k: to_units(k) if k else [], "BQML", Reason.CONFLICTING_RESCALE),
        (lambda k: [mapping(2.0, unit="Bq/ml" if k else "g/ml")], "", Reason.MIXED_RESCALE_TYPE),
    ],
)
def test_pet_of_no_mapping_that_is_meant_is_refused(mappings, units, reason, tmp_path):
    write_series(tmp_path, pet(mappings, units=units))
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, reason)


def test_the_rescale_of_pet_goes_before_its_mapping(tmp_path):
    """Also one that changes nothing: Units are those of rescaled values."""
    write_series(tmp_path, pet(to_units, rescale=lambda k: (1, 0)))
    np.testing.assert_array_equal(load(tmp_path)[0], STORED.transpose(2, 1, 0))
