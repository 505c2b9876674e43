"""Fuzz: a spoilt file is read or refused; it never crashes, hangs or takes memory by a lie.

A worker process (`fuzz_worker.py`) spoils the files of a small corpus in thousands of ways that a
seed repeats, and reads each. To see one case again:

    python tests/integration/fuzz_worker.py CORPUS --kind KIND --seed SEED --first INDEX --count 1
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from imagecodecs import jpeg8_encode
from ingest.dicom.test_photograph import RGB, compressed, encoded, palette, photograph
from ingest.dicom_writer import compress_series, make_enhanced, make_series, write_series
from integration.fuzz_worker import READERS
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate
from pydicom.fileset import FileSet

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures memory by /proc")

WORKER = Path(__file__).with_name("fuzz_worker.py")
MOST_BYTES = 512 * 2**20
"""No case may take more, whatever its header says; all files of the corpus are below 100 kB."""

DEFAULT_CASES, SLOW_CASES = 20, 2000

Case = dict
Kind = dict[str, str]


def run_worker(corpus: Path, *options: str) -> tuple[list[Case], subprocess.CompletedProcess]:
    """The cases that the worker reported, and how it ended."""
    command = [sys.executable, str(WORKER), str(corpus), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=3000
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done


def faults(cases: list[Case]) -> list[Case]:
    """Cases that ended in an undocumented error, a hang, or with too much memory."""
    return [c for c in cases if ": " in c["outcome"] or c["grown"] > MOST_BYTES]


def write_corpus(root: Path, writers: dict[str, Callable[[Path], Kind]]) -> Path:
    """Write each kind into its folder, and what is spoilt and read into `corpus.json`."""
    kinds = {}
    for name, write in writers.items():
        folder = root / name
        folder.mkdir(parents=True)
        kind = write(folder)
        kinds[name] = {
            **kind,
            "target": f"{name}/{kind['target']}",
            "read": f"{name}/{kind['read']}",
        }
    (root / "corpus.json").write_text(json.dumps(kinds))
    return root


# ---- the corpus


def smooth(shape: tuple[int, ...], dtype: type = np.int16) -> np.ndarray:
    """Values that compress, with some noise."""
    rng = np.random.default_rng(0)
    return (np.indices(shape).sum(axis=0) + rng.integers(0, 9, shape)).astype(dtype)


def one_file(name: str, reader: str = "series") -> Kind:
    return {"target": name, "read": name, "reader": reader}


def ct(syntax: uid.UID) -> Callable[[Path], Kind]:
    def write(folder: Path) -> Kind:
        slices = make_series(smooth((1, 40, 44)))
        if syntax.is_compressed and not syntax.is_deflated:
            compress_series(slices, syntax)
        slices[0].file_meta.TransferSyntaxUID = syntax
        if not syntax.is_little_endian:
            slices[0].PixelData = smooth((40, 44)).astype(">i2").tobytes()
        slices[0].save_as(folder / "a.dcm", enforce_file_format=True)
        return one_file("a.dcm")

    return write


def ct_jpeg(syntax: uid.UID, **options: object) -> Callable[[Path], Kind]:
    def write(folder: Path) -> Kind:
        plane = smooth((40, 44), np.uint16)
        (slice_,) = make_series(plane[None])
        slice_.PixelData = encapsulate([jpeg8_encode(plane, **options)])
        slice_["PixelData"].is_undefined_length = True
        slice_.BitsStored, slice_.HighBit = options["bitspersample"], options["bitspersample"] - 1
        slice_.file_meta.TransferSyntaxUID = syntax
        slice_.save_as(folder / "a.dcm", enforce_file_format=True)
        return one_file("a.dcm")

    return write


def enhanced(syntax: uid.UID) -> Callable[[Path], Kind]:
    def write(folder: Path) -> Kind:
        made = make_enhanced(make_series(smooth((4, 40, 44))))
        if syntax != uid.ExplicitVRLittleEndian:
            made.compress(syntax, generate_instance_uid=False)
        made.save_as(folder / "a.dcm", enforce_file_format=True)
        return one_file("a.dcm")

    return write


def ct_series(folder: Path) -> Kind:
    paths = write_series(folder, make_series(smooth((4, 40, 44))))
    return {"target": paths[2].name, "read": ".", "reader": "series"}


def written_back(write: Callable[[Path], Kind]) -> Callable[[Path], Kind]:
    """Write what is read as DICOM objects, whatever is left of its header."""
    return lambda folder: {**write(folder), "reader": "written back"}


def without_meta(folder: Path) -> Kind:
    (dataset,) = make_series(smooth((1, 40, 44)))
    del dataset.file_meta
    dataset.save_as(folder / "raw", implicit_vr=True, little_endian=True)
    return one_file("raw")


def dicomdir(folder: Path) -> Kind:
    files = FileSet()
    for k, dataset in enumerate(make_series(smooth((3, 40, 44)))):
        dataset.PatientID = dataset.PatientName = "x"
        dataset.StudyInstanceUID, dataset.StudyDate, dataset.StudyTime = "1.2.3", "20200101", "1200"
        dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", 1, k + 1
        files.add(dataset)
    files.write(folder)
    return one_file("DICOMDIR")


def nifti(suffix: str, kind: type = nib.Nifti1Image) -> Callable[[Path], Kind]:
    def write(folder: Path) -> Kind:
        nib.save(kind(smooth((12, 14, 16)), np.diag([1, 2, 3, 1])), folder / f"a{suffix}")
        return one_file(f"a{suffix}")

    return write


def sealed(seal: str, write: Callable[[Path], Kind]) -> Callable[[Path], Kind]:
    """Spoil what a checksum protects, and make the checksum right again."""
    return lambda folder: {**write(folder), "seal": seal}


def nifti_4d(folder: Path) -> Kind:
    made = nib.Nifti1Image(smooth((8, 9, 10, 3)), np.diag([1, 2, 3, 1]))
    made.header.set_slope_inter(0.5, -3)
    made.header.set_xyzt_units("micron")
    nib.save(made, folder / "a.nii")
    return one_file("a.nii", "volume")


def picture(suffix: str, colour: bool, **options: object) -> Callable[[Path], Kind]:
    def write(folder: Path) -> Kind:
        shape = (40, 44, 3) if colour else (40, 44)
        Image.fromarray(smooth(shape, np.uint8)).save(folder / f"a{suffix}", **options)
        return one_file(f"a{suffix}", "colour" if colour else "grey")

    return write


def endoscopy(syntax: uid.UID) -> Callable[[Path], Kind]:
    def write(folder: Path) -> Kind:
        dataset = photograph(smooth((40, 44, 3), np.uint8))
        if syntax != uid.ExplicitVRLittleEndian:
            dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(folder / "a.dcm", enforce_file_format=True)
        return one_file("a.dcm", "colour")

    return write


def endoscopy_jpeg(folder: Path) -> Kind:
    frame = encoded(RGB, "JPEG")
    made = compressed(frame, "YBR_FULL_422", uid.JPEGBaseline8Bit)
    made.save_as(folder / "a.dcm", enforce_file_format=True)
    return one_file("a.dcm", "colour")


def palette_colour(folder: Path) -> Kind:
    entries = palette(np.arange(48).reshape(16, 3) * 4)
    index = smooth((40, 44), np.uint8) % 16
    made = photograph(index, "PALETTE COLOR", **entries)
    made.save_as(folder / "a.dcm", enforce_file_format=True)
    return one_file("a.dcm", "colour")


WRITERS: dict[str, Callable[[Path], Kind]] = {
    "ct": ct(uid.ExplicitVRLittleEndian),
    "ct implicit": ct(uid.ImplicitVRLittleEndian),
    "ct big endian": ct(uid.ExplicitVRBigEndian),
    "ct deflated": ct(uid.DeflatedExplicitVRLittleEndian),
    "ct RLE": ct(uid.RLELossless),
    "ct lossless JPEG": ct_jpeg(uid.JPEGLosslessSV1, lossless=True, bitspersample=16),
    "ct JPEG of 12 bits": ct_jpeg(uid.JPEGExtended12Bit, bitspersample=12),
    "ct JPEG-LS": ct(uid.JPEGLSLossless),
    "ct JPEG 2000": ct(uid.JPEG2000Lossless),
    "ct series": ct_series,
    "ct without meta": without_meta,
    "enhanced": enhanced(uid.ExplicitVRLittleEndian),
    "enhanced RLE": enhanced(uid.RLELossless),
    "enhanced JPEG 2000": enhanced(uid.JPEG2000Lossless),
    "DICOMDIR": dicomdir,
    "ct to SEG": written_back(ct(uid.ExplicitVRLittleEndian)),
    "ct series to SEG": written_back(ct_series),
    "enhanced to SEG": written_back(enhanced(uid.ExplicitVRLittleEndian)),
    "nii": nifti(".nii"),
    "nii.gz": nifti(".nii.gz"),
    "nii in gz": sealed("gzip", nifti(".nii.gz")),
    "nii of NIfTI-2": nifti(".nii", nib.Nifti2Image),
    "nii of several": nifti_4d,
    "png": picture(".png", colour=False),
    "png colour": picture(".png", colour=True),
    "png with right checksums": sealed("png", picture(".png", colour=True)),
    "jpeg": picture(".jpg", colour=True),
    "tiff": picture(".tif", colour=False),
    "tiff deflated": picture(".tif", colour=True, compression="tiff_adobe_deflate"),
    "bmp": picture(".bmp", colour=True),
    "endoscopy": endoscopy(uid.ExplicitVRLittleEndian),
    "endoscopy RLE": endoscopy(uid.RLELossless),
    "endoscopy JPEG-LS": endoscopy(uid.JPEGLSLossless),
    "endoscopy JPEG": endoscopy_jpeg,
    "palette": palette_colour,
}

REAL = (
    "emri_small.dcm",
    "emri_small_big_endian.dcm",
    "emri_small_RLE.dcm",
    "emri_small_jpeg_2k_lossless.dcm",
    "emri_small_jpeg_ls_lossless.dcm",
    "CT_small.dcm",
    "MR_small_RLE.dcm",
    "no_meta.dcm",
)


def copied(source: Path) -> Callable[[Path], Kind]:
    def write(folder: Path) -> Kind:
        shutil.copy(source, folder / "a.dcm")
        (folder / "a.dcm").chmod(0o644)
        return one_file("a.dcm")

    return write


# ---- spoilt files


def check(cases: list[Case], done: subprocess.CompletedProcess, *, expected: int) -> None:
    """Every case was run, none is a fault, and of each kind some were refused."""
    last = cases[-1] if cases else "none"
    assert done.returncode == 0, f"died after {last}: {done.stderr[-2000:]}"
    assert not faults(cases), f"{len(faults(cases))} faults, first {faults(cases)[:5]}"
    assert len(cases) == expected
    refused = {case["kind"] for case in cases if case["outcome"] != "read"}
    assert refused == {case["kind"] for case in cases}


@pytest.mark.long
def test_a_spoilt_file_is_read_or_refused(tmp_path):
    corpus = write_corpus(tmp_path, WRITERS)
    cases, done = run_worker(corpus, "--count", str(DEFAULT_CASES))
    check(cases, done, expected=DEFAULT_CASES * len(WRITERS))


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRITERS)
def test_thousands_of_spoilt_files_are_read_or_refused(kind, tmp_path):
    corpus = write_corpus(tmp_path, {kind: WRITERS[kind]})
    cases, done = run_worker(corpus, "--count", str(SLOW_CASES), "--seed", "1")
    check(cases, done, expected=SLOW_CASES)


@pytest.mark.realdata
@pytest.mark.parametrize("count", [15, pytest.param(SLOW_CASES, marks=pytest.mark.slow)])
def test_a_spoilt_real_file_is_read_or_refused(count, data_root, tmp_path):
    folder = data_root / "dicom" / "dicom_pydicom_misc"
    corpus = write_corpus(tmp_path, {name: copied(folder / name) for name in REAL})
    cases, done = run_worker(corpus, "--count", str(count))
    check(cases, done, expected=count * len(REAL))


def test_every_whole_file_of_the_corpus_is_read(tmp_path):
    """Otherwise a spoilt one would be refused for another reason than its fault."""
    corpus = write_corpus(tmp_path, WRITERS)
    kinds = json.loads((corpus / "corpus.json").read_text())
    assert kinds.keys() == WRITERS.keys()
    for kind in kinds.values():
        READERS[kind["reader"]](corpus / kind["read"])  # a refusal would be raised


# ---- the worker itself: it tells every fault from a refusal


def run_broken(reader: str, tmp_path: Path) -> tuple[list[Case], subprocess.CompletedProcess]:
    def write(folder: Path) -> Kind:
        (folder / "a").write_bytes(b"anything")
        return one_file("a", reader)

    corpus = write_corpus(tmp_path / reader, {reader: write})
    seconds = "1" if reader == "hangs" else "60"
    return run_worker(corpus, "--count", "2", "--seconds", seconds)


@pytest.mark.long
@pytest.mark.parametrize(
    ("reader", "words"),
    [
        ("raises", "KeyError: 'nobody documented this'"),
        ("exhausts", "MemoryError"),
        ("hangs", "Hung: too many seconds"),
    ],
)
def test_an_undocumented_error_and_a_hang_are_faults(reader, words, tmp_path):
    cases, done = run_broken(reader, tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(faults(cases)) == 2
    assert words in cases[0]["outcome"]


def test_a_large_allocation_is_a_fault_though_it_succeeds(tmp_path):
    cases, _ = run_broken("allocates", tmp_path)
    assert cases[0]["outcome"] == "read"
    assert cases[0]["grown"] >= 2**30
    assert faults(cases) == cases[:1]  # the second case asks for no more than the first had


def test_a_crash_fails_the_check(tmp_path):
    cases, done = run_broken("crashes", tmp_path)
    with pytest.raises(AssertionError, match="died after none"):
        check(cases, done, expected=2)


def test_a_case_is_repeated_by_its_index(tmp_path):
    corpus = write_corpus(tmp_path, {"ct": WRITERS["ct"]})
    cases, _ = run_worker(corpus, "--count", "20")
    last, _ = run_worker(corpus, "--count", "1", "--first", "19")
    for key in ("kind", "index", "change", "outcome"):
        assert last[0][key] == cases[19][key]
