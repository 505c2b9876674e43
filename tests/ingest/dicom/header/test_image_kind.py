"""Tests of medseg.ingest.dicom.header.image_kind: SOP class and Modality both say what values
are."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import make_enhanced, make_series, ramp, write_series
from pydicom import uid

from medseg.ingest import IngestError, Reason, Verdict, find_series, load
from medseg.ingest.dicom.header.image_kind import (
    CLASSES,
    describe_contradiction,
    find_kind,
    is_no_image,
)

_STORAGE = "1.2.840.10008.5.1.4.1.1."
CT, PET = uid.CTImageStorage, uid.PositronEmissionTomographyImageStorage
RESCALED = [sop_class for sop_class, kind in CLASSES.items() if kind in ("CT", "PT")]


def of_class(sop_class, *, modality, rescale=True):
    """A series, or one enhanced object, of a class and a Modality; None leaves Modality out."""
    slices = make_series(uid="1.2.3")
    for s in slices:
        s.SOPClassUID = s.file_meta.MediaStorageSOPClassUID = sop_class
        s.Modality = modality
        if modality is None:
            del s.Modality
        if not rescale:
            del s.RescaleSlope, s.RescaleIntercept, s.RescaleType
    return [make_enhanced(slices, sop_class)] if "nhanced" in sop_class.name else slices


@pytest.mark.parametrize("modality", [None, "", "OT", "XX", "ct scan"])
@pytest.mark.parametrize("sop_class", RESCALED)
def test_ct_and_pet_by_class_alone_need_their_rescale(sop_class, modality, tmp_path):
    write_series(tmp_path, of_class(sop_class, modality=modality, rescale=False))
    (series,) = find_series(tmp_path)
    assert series.reason is Reason.MISSING_RESCALE
    assert f"5 {CLASSES[sop_class]} slices have no rescale in series 1.2.3" in series.message


@pytest.mark.parametrize("modality", [None, "OT", "ct"])
@pytest.mark.parametrize("sop_class", [CT, uid.EnhancedCTImageStorage])
def test_padding_of_ct_by_class_alone_becomes_air(sop_class, modality, tmp_path):
    written = of_class(sop_class, modality=modality)
    for dataset in written:
        dataset.add_new("PixelPaddingValue", "SS", 7)
    write_series(tmp_path, written)
    expected = ramp() - 1024
    expected[ramp() == 7] = -1024
    np.testing.assert_array_equal(load(tmp_path)[0], expected.transpose(2, 1, 0))


@pytest.mark.parametrize("modality", ["CT", "PT"])
def test_ct_and_pet_by_modality_alone_need_their_rescale(modality, tmp_path):
    private = uid.UID("1.2.3.4.5")
    write_series(tmp_path, of_class(private, modality=modality, rescale=False))
    assert find_series(tmp_path)[0].reason is Reason.MISSING_RESCALE


@pytest.mark.parametrize(
    "sop_class",
    [
        *(uid.SegmentationStorage, uid.RTDoseStorage, uid.ParametricMapStorage, uid.RawDataStorage),
        uid.GrayscaleSoftcopyPresentationStateStorage,
        uid.ComprehensiveSRStorage,
        *(uid.UID(_STORAGE + end) for end in ("66.7", "66.8")),  # label map, height map
    ],
)
@pytest.mark.parametrize("modality", [None, "OT", "CT", "MR"])
def test_what_is_no_image_by_its_class_is_none_whatever_modality_says(
    sop_class, modality, tmp_path
):
    write_series(tmp_path, of_class(sop_class, modality=modality))
    with pytest.raises(IngestError, match="no image slices") as error:
        load(tmp_path)
    assert error.value.code is Reason.NOT_AN_IMAGE


def test_an_object_that_is_no_image_lies_beside_the_series_it_was_made_of(tmp_path):
    write_series(tmp_path / "ct", make_series(uid="1.2.3"))
    (label_map, *_) = of_class(uid.UID(_STORAGE + "66.7"), modality=None)
    label_map.SeriesInstanceUID = "1.2.4"
    write_series(tmp_path / "seg", [label_map])
    assert load(tmp_path)[0].shape == (4, 6, 5)


def test_two_kinds_of_image_in_one_header_are_said(tmp_path):
    write_series(tmp_path, of_class(CT, modality="MR"))
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.CONFLICTING_MODALITY)
    words = "the SOP class is CT Image Storage and Modality says MR, read as MR, in series 1.2.3"
    assert words in series.message


@pytest.mark.parametrize("modality", [None, "OT"])
def test_values_of_which_nothing_says_what_they_are_are_noted(modality, tmp_path):
    write_series(tmp_path, of_class(uid.UID("1.2.3.4.5"), modality=modality, rescale=False))
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.UNKNOWN_MODALITY)


@pytest.mark.parametrize(
    ("sop_class", "modality", "kind", "said"),
    [
        (CT, "CT", "CT", False),
        (CT, "", "CT", False),
        (CT, "XA", "XA", True),
        (PET, "CT", "CT", True),
        (PET, "OT", "PT", False),
        (uid.SecondaryCaptureImageStorage, "CT", "CT", False),
        (uid.SecondaryCaptureImageStorage, "", "", False),
        (uid.SecondaryCaptureImageStorage, "OT", "OT", False),
        (uid.UltrasoundImageStorage, "US", "US", False),
        (uid.UltrasoundImageStorage, "", "US", False),
        (uid.UltrasoundImageStorage, "CT", "CT", True),
        (uid.EnhancedXAImageStorage, "MR", "MR", True),
        (uid.OphthalmicTomographyImageStorage, "OT", "OPT", False),
        (uid.VLWholeSlideMicroscopyImageStorage, "CT", "CT", True),
    ],
)
def test_kind_and_contradiction(sop_class, modality, kind, said):
    assert find_kind(sop_class, modality) == kind
    assert bool(describe_contradiction(sop_class, modality)) is said


@pytest.mark.parametrize("sop_class", [*CLASSES, uid.SecondaryCaptureImageStorage, uid.UID("1.2")])
def test_a_class_of_images_or_an_unknown_one_may_hold_an_image(sop_class):
    assert not is_no_image(sop_class, "")


@pytest.mark.parametrize("modality", ["MR", "US", "CR"])
def test_a_class_of_ct_whose_modality_says_another_kind_needs_its_rescale(modality, tmp_path):
    """What the values mean is not known then, whichever of the two is right."""
    write_series(tmp_path, of_class(CT, modality=modality, rescale=False))
    (series,) = find_series(tmp_path)
    assert series.reason is Reason.MISSING_RESCALE
    assert "5 of 5 CT slices have no rescale" in series.message


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        *(("SegmentationType", kind) for kind in ("BINARY", "FRACTIONAL", "LABELMAP")),
        ("DoseSummationType", "PLAN"),
    ],
)
@pytest.mark.parametrize("modality", [None, "OT"])
@pytest.mark.parametrize("sop_class", [uid.MRImageStorage, uid.UID("1.2.3.4.5")])
def test_what_only_derived_objects_state_tells_them(keyword, value, modality, sop_class, tmp_path):
    """A segmentation that lost its Modality and its SOP class is no image all the same."""
    slices = of_class(sop_class, modality=modality, rescale=False)
    for s in slices:
        setattr(s, keyword, value)
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert series.reason is Reason.NOT_AN_IMAGE
