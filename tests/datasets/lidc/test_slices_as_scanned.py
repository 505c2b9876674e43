"""Tests of medseg.datasets.lidc.slices_as_scanned: masks follow a resampled image, slice by slice.

The phantom is a ball of 40 HU in -800 HU, sampled where the slices really lie, and outlined by four
readers in those slices. Whatever becomes of it can be compared with the ball itself.
"""

import csv
import json
import math
import shutil
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid
from scipy.ndimage import center_of_mass

from medseg.datasets import lidc
from medseg.datasets.lidc import Settings
from medseg.datasets.lidc.annotations_xml import Contour, Kind, Mark, read_xml
from medseg.datasets.lidc.consensus import compute_dice, find_consensus
from medseg.datasets.lidc.marks import locate_marks
from medseg.datasets.lidc.nodules import group
from medseg.datasets.lidc.slices_as_scanned import OriginalSlices
from medseg.datasets.lidc.source import make_stack
from medseg.datasets.phantom.chest import trace_outline
from medseg.datasets.phantom.dicom_series import write_ct_series
from medseg.ingest import find_series
from medseg.ingest.dicom.resample import resample

_PIXELS, _PIXEL_MM, _STEP_MM = 64, 0.8, 2.0
_RADIUS_MM = 10.0
_BALL_HU, _LUNG_HU = 40, -800
_HALF_HU = (_BALL_HU + _LUNG_HU) / 2
_VOLUME_MM3 = 4 / 3 * math.pi * _RADIUS_MM**3


@dataclass(frozen=True)
class Scan:
    """A CT of slices at these z, LPS+ mm, whose columns are tilted out of the axial plane."""

    z_mm: tuple[float, ...]
    tilt_degrees: float = 0.0
    centre_mm: tuple[float, float, float] = (1.3, -2.2, 23.4)
    patient: str = "LIDC-IDRI-0001"
    by_uid: bool = True
    lost: frozenset[int] = field(default=frozenset())

    @property
    def down(self):
        """Direction cosines of the columns."""
        tilt = math.radians(self.tilt_degrees)
        return np.array([0, math.cos(tilt), math.sin(tilt)])

    def first_mm(self, k):
        """Position of slice k, whose middle at the middle of the stack is above (0, 0)."""
        corner = -(_PIXELS - 1) / 2 * _PIXEL_MM
        x, y, z = corner * (np.array([1, 0, 0]) + self.down)
        return np.array([x, y, z + self.z_mm[k]])

    def ball(self, k):
        """What of slice k is in the ball: (columns, rows)."""
        steps = np.arange(_PIXELS) * _PIXEL_MM
        points = self.first_mm(k) + steps[:, None, None] * np.array([1, 0, 0])
        points = points + steps[None, :, None] * self.down
        return np.linalg.norm(points - self.centre_mm, axis=-1) < _RADIUS_MM


_EVEN = tuple(_STEP_MM * np.arange(24))
_UNEVEN = tuple(np.cumsum([0, *[2.0, 1.6, 2.4] * 8])[:24].tolist())
_SCANS = {
    "gantry tilted by 12 degrees": Scan(_EVEN, tilt_degrees=12),
    "gantry tilted by -20 degrees": Scan(_EVEN, tilt_degrees=-20),
    "a slice missing in the middle": Scan(_EVEN, lost=frozenset({12})),
    "a slice missing off the middle": Scan(_EVEN, lost=frozenset({14})),
    "two slices missing in a row": Scan(_EVEN, lost=frozenset({12, 13})),
    "uneven spacing": Scan(_UNEVEN),
    "tilted, and a slice missing": Scan(_EVEN, tilt_degrees=12, lost=frozenset({10})),
    "tilted, outlines without UIDs": Scan(_EVEN, tilt_degrees=12, by_uid=False),
    "uneven, outlines without UIDs": Scan(_UNEVEN, by_uid=False),
}


def _write(scan, folder):
    """Write the series and its XML, as the collection has them."""
    template = folder / "template"
    blank = np.zeros((_PIXELS, _PIXELS, 1), np.int16)
    rng, spacing = np.random.default_rng(0), np.diag([_PIXEL_MM, _PIXEL_MM, _STEP_MM, 1.0])
    write_ct_series(blank, spacing, out_dir=template, patient=scan.patient, rng=rng)
    image = pydicom.dcmread(next(template.iterdir()))
    shutil.rmtree(template)
    rois = []
    for k in range(len(scan.z_mm)):
        ball, uid = scan.ball(k), generate_uid(entropy_srcs=[repr(scan), str(k)])
        hu = np.where(ball, _BALL_HU, _LUNG_HU)
        image.PixelData = (hu.T + 1024).astype("<u2").tobytes()
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = uid
        image.ImageOrientationPatient = [1, 0, 0, *np.round(scan.down, 8).tolist()]
        image.ImagePositionPatient = np.round(scan.first_mm(k), 6).tolist()
        image.InstanceNumber = k + 1
        if ball.any():
            rois.append(_roi(trace_outline(ball), uid if scan.by_uid else "", scan.first_mm(k)[2]))
        if k not in scan.lost:
            image.save_as(folder / f"{k:03d}.dcm", enforce_file_format=True)
    nodule = f"<unblindedReadNodule><noduleID>1</noduleID>{''.join(rois)}</unblindedReadNodule>"
    header = f"<SeriesInstanceUid>{image.SeriesInstanceUID}</SeriesInstanceUid>"
    sessions = f"<readingSession>{nodule}</readingSession>" * 4
    (folder / "069.xml").write_text(
        f"<LidcReadMessage><ResponseHeader>{header}</ResponseHeader>{sessions}</LidcReadMessage>"
    )
    return folder


def _roi(points, uid, z_mm):
    edges = "".join(
        f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in points
    )
    place = f"<imageZposition>{z_mm:.6f}</imageZposition><imageSOP_UID>{uid}</imageSOP_UID>"
    return f"<roi>{place}<inclusion>TRUE</inclusion>{edges}</roi>"


def _prepare(source, out, **settings):
    chosen = Settings(**{"size": 32, "resample": True} | settings)
    return lidc.prepare(source, out, settings=chosen)


def _table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def _patch(out, row):
    """(bright, label, affine) of the patch of a row of the table."""
    image = nib.load(out / "patches/images" / f"{row['patch']}.nii.gz")
    mask = nib.load(out / "patches/labels" / f"{row['patch']}.nii.gz")
    bright = np.asarray(image.dataobj) >= _HALF_HU - 1  # HU are rounded
    return bright, np.asarray(mask.dataobj) > 0, image.affine


@pytest.fixture(scope="module", params=_SCANS.values(), ids=_SCANS)
def done(request, tmp_path_factory):
    """(scan, folder, report) of a scan prepared with resampling."""
    root = tmp_path_factory.mktemp("scan")
    (root / "LIDC-IDRI").mkdir()
    _write(request.param, root / "LIDC-IDRI")
    return request.param, root / "out", _prepare(root / "LIDC-IDRI", root / "out")


# --- the mask fits the image, and both fit the ball ---


def test_the_mask_of_a_patch_is_what_is_bright_in_it(done):
    """Half a pixel, d = 0.4 mm, costs 3 d / (4 r) = 0.03 of the Dice of a ball of r = 10 mm.

    A mask that stays where it was is 5 mm off at a tilt of 12 degrees, a Dice of 0.62; one that is
    empty where a slice is missing in the middle has lost 15 % of the ball, a Dice of 0.92.
    """
    _, out, _ = done
    (row,) = _table(out / "nodules.csv")
    bright, mask, _ = _patch(out, row)
    assert _dice(mask, bright) > 0.95


def test_the_mask_of_a_patch_is_where_the_ball_is(done):
    scan, out, _ = done
    (row,) = _table(out / "nodules.csv")
    bright, mask, affine = _patch(out, row)
    centre_mm = np.array(scan.centre_mm) * (-1, -1, 1)
    voxels = np.moveaxis(np.indices(mask.shape), 0, -1)
    points_mm = voxels @ affine[:3, :3].T + affine[:3, 3]
    ball = np.linalg.norm(points_mm - centre_mm, axis=-1) < _RADIUS_MM
    assert _dice(mask, ball) > 0.95
    half_a_voxel = 0.5
    for other in (ball, bright):
        apart = np.subtract(center_of_mass(mask), center_of_mass(other))
        assert np.abs(apart).max() <= half_a_voxel
    listed_mm = [float(row[f"{axis}_mm"]) for axis in "xyz"]
    assert np.abs(listed_mm - centre_mm).max() <= half_a_voxel


def test_the_volume_and_the_diameter_are_those_of_the_ball(done):
    """5 %: slices taken for missing ones change the volume by at most 2.4 %, pixels by about 1 %.

    A plane at z from the centre holds pi (r^2 - z^2) h of the ball, for which two missing slices
    of h = 2 mm give 0.6 -> -1.4 and 2.6 -> 4.6 mm: -100 of 4189 mm3.
    """
    _, out, _ = done
    (row,) = _table(out / "nodules.csv")
    assert float(row["volume_mm3"]) == pytest.approx(_VOLUME_MM3, rel=0.05)
    assert float(row["diameter_mm"]) == pytest.approx(2 * _RADIUS_MM, rel=0.02)
    assert float(row["longest_mm"]) == pytest.approx(2 * _RADIUS_MM + _PIXEL_MM, abs=_PIXEL_MM)
    assert (row["readers"], row["agreement"]) == ("4", "1.0")


def test_what_was_resampled_is_told_scan_by_scan_and_nodule_by_nodule(done):
    scan, out, report = done
    (row,) = _table(out / "nodules.csv")
    (told,) = (problem for problem in report.problems if problem.code == "resampled")
    assert told.case == row["case"]
    if scan.lost:
        assert int(row["slices_interpolated"]) == len(scan.lost)
        assert f"{len(scan.lost)} of them between two slices" in told.finding
    elif scan.tilt_degrees:
        assert row["slices_interpolated"] == "0"
        assert f"stacked {abs(scan.tilt_degrees):g} degrees off their normal" in told.finding
    else:
        assert row["slices_interpolated"] == row["slices"]
        assert "slice spacing varies from 1.6 to 2.4 mm" in told.finding
    assert (report.cases, report.exclusions) == (1, ())


def test_an_outline_of_a_missing_slice_is_reported_and_no_other(done):
    scan, _, report = done
    found = [p.finding for p in report.problems if p.code == "unknown-slice"]
    count = 4 * len(scan.lost)  # readers
    assert [text.split(",")[0] for text in found] == ([f"{count} x"] if count else [])


# --- the option ---


def _collection(root, *scans):
    for number, scan in enumerate(scans, 1):
        folder = root / f"LIDC-IDRI-{number:04d}"
        folder.mkdir(parents=True)
        _write(replace(scan, patient=folder.name), folder)
    return root


@pytest.fixture(scope="module")
def irregular(tmp_path_factory):
    """A regular scan after an irregular one of each kind."""
    names = ("gantry tilted by 12 degrees", "a slice missing in the middle", "uneven spacing")
    scans = [replace(_SCANS[name], centre_mm=(n, n, 23.4)) for n, name in enumerate(names)]
    return _collection(tmp_path_factory.mktemp("irregular"), *scans, Scan(_EVEN))


def test_without_the_option_irregular_series_are_reported_and_the_rest_goes_on(irregular, tmp_path):
    report = _prepare(irregular, tmp_path / "out", resample=False)
    assert (report.cases, report.nodules, len(report.exclusions)) == (1, 1, 3)
    assert {problem.code for problem in report.problems} == {"refused-series"}
    for finding in ("stacked 12 degrees", "varies from 2 to 4 mm", "varies from 1.6 to 2.4 mm"):
        assert sum(finding in problem.finding for problem in report.problems) == 1
    (row,) = _table(tmp_path / "out" / "nodules.csv")
    assert (row["patient"], row["slices_interpolated"]) == ("LIDC-IDRI-0004", "")


def test_with_the_option_a_regular_series_is_as_without_it(irregular, tmp_path):
    report = _prepare(irregular, tmp_path / "all")
    _prepare(irregular, tmp_path / "regular", resample=False)
    assert (report.cases, report.exclusions) == (4, ())
    (name,) = (row["patch"] for row in _table(tmp_path / "regular" / "nodules.csv"))
    for part in ("images", "labels"):
        one, other = (
            (tmp_path / out / "patches" / part / f"{name}.nii.gz").read_bytes()
            for out in ("all", "regular")
        )
        assert one == other


def test_a_second_run_resamples_nothing_and_tells_the_same(irregular, tmp_path, monkeypatch):
    first = _prepare(irregular, tmp_path / "out")

    def read(series):
        raise AssertionError("an image was read again")

    monkeypatch.setattr("medseg.datasets.lidc.scan_record.read_series", read)
    assert _prepare(irregular, tmp_path / "out") == first


def test_a_folder_prepared_without_the_option_is_not_gone_on_with(irregular, tmp_path):
    out = tmp_path / "out"
    _prepare(irregular, out, resample=False)
    with pytest.raises(ValueError, match="prepared with resample False and not True: choose anoth"):
        _prepare(irregular, out)
    before = json.loads((out / "settings.json").read_text())
    del before["resample"]  # as of a version that had no such option
    (out / "settings.json").write_text(json.dumps(before))
    assert _prepare(irregular, out, resample=False).cases == 1
    with pytest.raises(ValueError, match="prepared with resample False and not True: choose anoth"):
        _prepare(irregular, out)


def test_a_gap_that_is_too_wide_to_interpolate_is_refused_with_the_option_too(tmp_path):
    scan = Scan(_EVEN, lost=frozenset({11, 12, 13}))
    report = _prepare(_collection(tmp_path / "source", scan, Scan(_EVEN)), tmp_path / "out")
    assert report.cases == 1
    (problem,) = report.exclusions
    assert problem.code == "refused-series"
    assert "a gap of 4 median gaps is too wide" in problem.finding


# --- one mark ---


@pytest.mark.parametrize("name", ["gantry tilted by 12 degrees", "uneven spacing"])
def test_a_mask_is_laid_as_the_image_is_interpolated_and_cut_at_one_half(name, tmp_path):
    (series,) = find_series(_write(_SCANS[name], tmp_path), resample=True)
    stack = make_stack(series, series.geometry)
    mark = read_xml(tmp_path / "069.xml").marks[0]
    ((region,), faults) = locate_marks([mark], stack)
    balls = [_SCANS[name].ball(k) for k in range(len(_SCANS[name].z_mm))]
    volume = np.stack(balls, axis=-1).astype(np.float32)
    interpolated = resample(volume, series.resampling, fill=0)
    assert not faults
    assert np.array_equal(region.voxels, np.flatnonzero(interpolated >= 0.5))


def _original(depths_mm, *, offsets=None, step_mm=1.0, neighbours=None):
    """Slices of 4 columns and 5 rows, and planes of 6 x 8 pixels."""
    offsets = np.zeros((len(depths_mm), 2)) if offsets is None else np.array(offsets, float)
    planes = len(neighbours)
    return OriginalSlices(
        (4, 5, len(depths_mm)),
        np.array(depths_mm, float),
        SimpleNamespace(
            offsets=offsets,
            depths_mm=np.array(depths_mm, float),
            step_mm=step_mm,
            geometry=SimpleNamespace(shape=(6, 8, planes)),
            find_neighbours=neighbours.__getitem__,
        ),
    )


def _lay(original, *voxels, is_outline=True):
    flat = np.sort(np.ravel_multi_index(np.array(voxels).T, original.shape))
    laid = original.move_to_grid(flat, is_outline=is_outline)
    places = np.unravel_index(laid, original.resampling.geometry.shape)
    return set(zip(*(axis.tolist() for axis in places), strict=True))


def test_each_slice_moves_by_its_own_offset_row_before_column():
    regular = [(0, 0.0), (1, 0.0)]
    original = _original([0, 1], offsets=[(0, 0), (-2.4, -0.6)], neighbours=regular)
    assert _lay(original, (1, 3, 0), (1, 3, 1)) == {(1, 3, 0), (2, 5, 1)}


def test_an_outline_keeps_its_pixels_at_an_offset_of_half_a_pixel():
    original = _original([0, 1], offsets=[(0, 0), (-0.5, 0)], neighbours=[(0, 0.0), (1, 0.0)])
    assert _lay(original, (1, 1, 1), (1, 2, 1)) == {(1, 2, 1), (1, 3, 1)}


def test_a_plane_between_two_slices_has_the_nearer_one_and_midway_both():
    planes = [(0, 0.0), (0, 0.3), (0, 0.5), (0, 0.7), (1, 0.0)]
    original = _original([0, 4], neighbours=planes)
    low, high = (1, 1), (2, 3)
    laid = _lay(original, (*low, 0), (*high, 1))
    assert laid == {(*low, 0), (*low, 1), (*low, 2), (*high, 2), (*high, 3), (*high, 4)}
    assert original.interpolated_planes.tolist() == [1, 2, 3]


def test_a_point_goes_to_the_nearest_voxel_and_stays_one():
    original = _original([0, 4], neighbours=[(0, 0.0), *[(0, 0.5)] * 3, (1, 0.0)])
    assert _lay(original, (1, 1, 1), is_outline=False) == {(1, 1, 4)}


def test_an_outline_that_would_be_lost_between_two_planes_goes_to_the_nearest():
    planes = [(0, 0.0), (0, 0.4), (1, 0.6), (2, 0.0)]  # no plane has half of slice 1
    original = _original([0, 1.4, 3.0], neighbours=planes)
    assert _lay(original, (1, 1, 1)) == {(1, 1, 1)}
    assert _lay(original, (1, 1, 1), (1, 1, 2)) == {(1, 1, 2), (1, 1, 3)}


def test_nothing_stays_nothing():
    original = _original([0, 1], neighbours=[(0, 0.0), (1, 0.0)])
    assert original.move_to_grid(np.empty(0, np.int64), is_outline=True).size == 0


@pytest.mark.parametrize(
    ("points", "z_mm", "codes"),
    [
        (((1, 1), (40, 1), (40, 63), (1, 63)), 10.0, []),
        (((1, 1), (40, 1), (40, 64), (1, 64)), 10.0, ["outside-image", "empty-mark"]),
        (((1, 1), (40, 1), (40, 63), (1, 63)), 10.9, ["unknown-slice", "empty-mark"]),
    ],
    ids=["inside", "below the last row", "between two slices"],
)
def test_contours_are_judged_in_the_slices_that_the_readers_saw(points, z_mm, codes, tmp_path):
    scan = _SCANS["gantry tilted by 12 degrees"]
    (series,) = find_series(_write(scan, tmp_path), resample=True)
    assert series.geometry.shape[1] > _PIXELS  # where row 64 would be inside
    contour = Contour(points, "", scan.first_mm(0)[2] + z_mm, True)
    _, faults = locate_marks(
        [Mark(1, "1", Kind.NODULE, (), (), (contour,))], make_stack(series, series.geometry)
    )
    assert [fault.code for fault in faults] == codes


# --- a real scan ---


@pytest.mark.realdata
@pytest.mark.parametrize("lost", [(48,), (41,), (55,), (43, 44)], ids=str)
def test_a_real_nodule_hardly_changes_when_slices_of_it_are_missing(lost, data_root, tmp_path):
    """It lies in slices 39 to 56, of 1 mm; 5 % is half of what two of those 18 slices hold."""
    folder = data_root / "lidc" / "LIDC-IDRI-0314"
    (whole,) = find_series(folder)
    for k, file in enumerate(whole.files):
        if k not in lost:
            (tmp_path / f"{k:03d}.dcm").symlink_to(file.resolve())
    (gapped,) = find_series(tmp_path, resample=True)
    assert gapped.geometry.same_grid(whole.geometry)
    marks = read_xml(folder / "annotations.xml").marks
    found = []
    for series in (whole, gapped):
        regions, _ = locate_marks(marks, make_stack(series, series.geometry))
        (nodule,) = group(regions, series.geometry)
        found.append(find_consensus([region.voxels for region in nodule.outlined_regions]))
    assert compute_dice(*found) > 0.975
    assert found[1].size == pytest.approx(found[0].size, rel=0.05)
