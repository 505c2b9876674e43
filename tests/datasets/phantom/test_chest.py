"""Tests of medseg.datasets.phantom.chest."""

import nibabel as nib
import numpy as np
import pydicom
import pytest

from medseg.datasets.lidc.annotations_xml import Kind, read_xml
from medseg.datasets.lidc.marks import Stack, locate_marks
from medseg.datasets.lidc.outline import find_inside
from medseg.datasets.phantom import chest
from medseg.datasets.phantom.canvas import Grid
from medseg.geometry import Geometry
from medseg.ingest import Verdict, find_series, read_series

_GRID = Grid(size=64, slices=16, thickness_mm=3.0)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Three patients."""
    root = tmp_path_factory.mktemp("chest")
    chest.write(root, _GRID, cases=2, test_cases=1, seed=3)
    return root


def test_the_layout_is_that_of_the_collection(written):
    patients = sorted((written / "LIDC-IDRI").iterdir())
    assert [p.name for p in patients] == ["LIDC-IDRI-9001", "LIDC-IDRI-9002", "LIDC-IDRI-9003"]
    tree = sorted((written / "LIDC-XML-only/tcia-lidc-xml/157").iterdir())
    for patient, copy in zip(patients, tree, strict=True):
        assert len(list(patient.glob("*/*/*.dcm"))) == 16
        (xml,) = patient.glob("*/*/*.xml")
        assert xml.read_bytes() == copy.read_bytes()


def test_the_images_are_one_accepted_ct_of_the_chest_and_the_xml_is_of_it(written):
    for patient in (written / "LIDC-IDRI").iterdir():
        (series,) = find_series(patient)
        assert series.verdict is Verdict.ACCEPT
        assert series.geometry.shape == (64, 64, 16)
        header = pydicom.dcmread(series.files[0], stop_before_pixels=True)
        assert (header.BodyPartExamined, header.PatientID) == ("CHEST", patient.name)
        reads = read_xml(next(patient.glob("*/*/*.xml")))
        assert (reads.series_uid, reads.readers) == (series.uid, 4)
        uids = {pydicom.dcmread(f, stop_before_pixels=True).SOPInstanceUID for f in series.files}
        assert {c.sop_uid for mark in reads.marks for c in mark.contours} <= uids


def test_the_outlines_enclose_exactly_what_each_reader_meant(written):
    for patient in (written / "LIDC-IDRI").iterdir():
        (series,) = find_series(patient)
        regions, faults = locate_marks(
            read_xml(next(patient.glob("*/*/*.xml"))).marks, Stack(series.geometry, {})
        )
        assert not faults
        bits = np.zeros(series.geometry.shape, np.uint8)
        for region in regions:
            if region.mark.kind is Kind.NODULE:
                bits.ravel()[region.voxels] |= 1 << (region.mark.reader - 1)
        truth = nib.load(written / "truth" / f"{patient.name}.nii.gz")
        flipped = bits[::-1, ::-1]  # rows and columns of DICOM run against RAS
        assert np.array_equal(flipped, np.asarray(truth.dataobj))
        first = series.geometry.voxel_to_world((63, 63, 0))
        assert np.allclose(truth.affine[:3, 3], first, atol=1e-3)


def test_every_kind_of_mark_is_there_and_a_hole(written):
    marks = read_xml(next((written / "LIDC-XML-only").rglob("*.xml"))).marks
    assert {mark.kind for mark in marks} == set(Kind)
    assert sum(mark.kind is Kind.SMALL for mark in marks) == 2
    holes = [mark.reader for mark in marks for c in mark.contours if not c.inclusion]
    assert holes == [2]


def test_nodules_are_dense_and_lie_in_the_lung(written):
    for patient in (written / "LIDC-IDRI").iterdir():
        volume, _ = read_series(find_series(patient)[0])
        truth = np.asarray(nib.load(written / "truth" / f"{patient.name}.nii.gz").dataobj)
        core = truth[::-1, ::-1] == 15
        assert core.any()
        assert -400 < np.median(volume[core]) < 100  # blurred at the rim
        assert np.median(volume) < -500


def test_the_same_seed_gives_the_same_files_and_another_seed_others(written, tmp_path):
    for seed in (3, 4):
        chest.write(tmp_path / str(seed), _GRID, cases=1, test_cases=0, seed=seed)
    name = "LIDC-XML-only/tcia-lidc-xml/157/158.xml"
    same, other = ((tmp_path / str(seed) / name).read_bytes() for seed in (3, 4))
    assert same == (written / name).read_bytes() != other
    folder = "LIDC-IDRI/LIDC-IDRI-9001"
    images = [
        {f.name: f.read_bytes() for f in (root / folder).rglob("*.dcm")}
        for root in (tmp_path / "3", written)
    ]
    assert images[0] == images[1]


def test_any_ellipse_is_enclosed_by_its_outline():
    rng = np.random.default_rng(0)
    for _ in range(300):
        centre, radii = rng.uniform(15, 16, 2), rng.uniform(0.8, 12, 2)
        mask = (((np.indices((32, 32)).T - centre) / radii) ** 2).sum(axis=-1).T < 1
        if mask.any():
            points = chest.trace_outline(mask)
            assert points[0] == points[-1]
            assert np.array_equal(find_inside(points), np.argwhere(mask))


@pytest.mark.parametrize("grid", [Grid(48, 8, 5.0), Grid(96, 24, 1.25)])
def test_every_nodule_has_an_outline_on_coarse_and_fine_grids(tmp_path, grid):
    chest.write(tmp_path, grid, cases=2, test_cases=0, seed=0)
    for path in sorted((tmp_path / "LIDC-XML-only").rglob("*.xml")):
        marks = read_xml(path).marks
        geometry = Geometry((grid.size, grid.size, grid.slices), np.eye(4))
        uids = {c.sop_uid: 0 for mark in marks for c in mark.contours}
        regions, faults = locate_marks(marks, Stack(geometry, uids))
        assert not faults
        outlined = {r.mark.reader for r in regions if r.mark.kind is Kind.NODULE}
        assert outlined == {1, 2, 3, 4}
