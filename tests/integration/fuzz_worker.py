"""Fuzz worker: read spoilt files in a process of its own, and say what became of each.

python fuzz_worker.py CORPUS --count 100 [--kind NAME] [--seed 0] [--first 0] [--seconds 10]

`CORPUS/corpus.json` names for each kind of input the file that is spoilt, the path that is read,
the reader, and the seal that is opened and closed around the fault. Each line of the output is one
case as JSON: what was done to the file, the outcome ("read", a reason code, or the error that
nobody documented), seconds, and by how much the address space grew at its highest. A case is made
again by its kind, seed and index alone.
"""

from __future__ import annotations

import argparse
import faulthandler
import gzip
import json
import logging
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from medseg.ingest import IngestError, find_series, load
from medseg.ingest.volumes.file import load_file

LARGEST_ADDRESS_SPACE = 8 * 2**30
"""What a case may reserve beyond the start before the system refuses it, to save the machine."""

_EXTREMES = [b"\0", b"\xff", b"\x7f", b"\x80", b"\1"]


class Hung(BaseException):
    """A case took too long; no `except Exception` holds it back."""


def main() -> int:
    """Spoil and read the cases of each kind, one line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--kind", action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=10, help="a case that takes longer hangs")
    args = parser.parse_args()
    corpus = json.loads((args.corpus / "corpus.json").read_text())
    kinds = args.kind or list(corpus)
    _quiet_and_limited()
    for kind in kinds:  # whole files first: what is imported and started late is no case's doing
        if corpus[kind]["reader"] in READERS:
            _outcome(_reader(args.corpus, corpus[kind]), seconds=120)
    for kind in kinds:
        for case in cases(args.corpus, corpus[kind], kind, args):
            sys.stdout.write(json.dumps({"kind": kind, **case}) + "\n")
            sys.stdout.flush()  # so that the last line is known when the process dies
    return 0


def cases(root: Path, entry: dict, kind: str, args: argparse.Namespace) -> Iterator[dict]:
    """Spoil the file of a kind again and again, read it each time, and put it back at the end."""
    target, read = root / entry["target"], _reader(root, entry)
    unseal, seal = SEALS[entry.get("seal", "none")]
    sealed = target.read_bytes()
    whole = unseal(sealed)
    for index in range(args.first, args.first + args.count):
        rng = np.random.default_rng([args.seed, zlib.crc32(kind.encode()), index])
        content, change = spoilt(whole, rng)
        target.write_bytes(seal(content))
        started, before = time.perf_counter(), address_space()
        outcome = _outcome(read, seconds=args.seconds)
        yield {
            "index": index,
            "change": change,
            "outcome": outcome,
            "seconds": time.perf_counter() - started,
            "grown": max(0, address_space() - before),
        }
    target.write_bytes(sealed)


def spoilt(whole: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """One mutation of a file, and its name."""
    names = list(_MUTATIONS)
    name = names[int(rng.integers(len(names)))]
    content = bytearray(whole)
    for _ in range(int(rng.integers(1, 4))):
        _MUTATIONS[name](content, rng)
    return bytes(content), name


def _cut(content: bytearray, rng: np.random.Generator) -> None:
    del content[_place(content, rng) :]


def _flip(content: bytearray, rng: np.random.Generator) -> None:
    if content:
        content[_place(content, rng)] ^= 1 << int(rng.integers(8))


def _overwrite(content: bytearray, rng: np.random.Generator) -> None:
    at, size = _place(content, rng), int(rng.choice([1, 2, 4, 8]))
    content[at : at + size] = rng.bytes(size)


def _lie(content: bytearray, rng: np.random.Generator) -> None:
    """A number at its extremes: 0, -1, the largest, the smallest, or bytes of 1."""
    at, size = _place(content, rng), int(rng.choice([2, 4, 8]))
    content[at : at + size] = _EXTREMES[int(rng.integers(len(_EXTREMES)))] * size


def _remove(content: bytearray, rng: np.random.Generator) -> None:
    at = _place(content, rng)
    del content[at : at + int(rng.integers(1, 64))]


def _repeat(content: bytearray, rng: np.random.Generator) -> None:
    at = _place(content, rng)
    content[at:at] = content[at : at + int(rng.integers(1, 64))]


_MUTATIONS: dict[str, Callable[[bytearray, np.random.Generator], None]] = {
    "cut": _cut,
    "flip": _flip,
    "overwrite": _overwrite,
    "lie": _lie,
    "remove": _remove,
    "repeat": _repeat,
}


def _place(content: bytearray, rng: np.random.Generator) -> int:
    """Anywhere in one of two cases, else in the first kilobyte, where headers are."""
    end = len(content) if rng.random() < 0.5 else min(len(content), 1024)
    return int(rng.integers(max(1, end)))


def _with_checksums(content: bytes) -> bytes:
    """A spoilt PNG whose chunks, as far as they can be told, have the right checksum again."""
    made, at = bytearray(content), 8
    while at + 12 <= len(made):
        end = at + 8 + int.from_bytes(made[at : at + 4], "big")
        if end + 4 > len(made):
            break
        made[end : end + 4] = zlib.crc32(made[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(made)


SEALS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "none": (bytes, bytes),
    "gzip": (gzip.decompress, gzip.compress),
    "png": (bytes, _with_checksums),
}
"""How to open what a checksum protects, and close it again after it was spoilt."""


def _reader(root: Path, entry: dict) -> Callable[[], object]:
    path = root / entry["read"]
    return lambda: {**READERS, **FAULTY}[entry["reader"]](path)


def _find_and_load(path: Path) -> object:
    find_series(path)
    return load(path)


def _write_back(path: Path) -> object:
    """Write a mask of each series that can be read as DICOM objects, and read the SEG again."""
    import highdicom  # takes a second

    from medseg.export import Algorithm, describe_source, write_rtstruct, write_seg
    from medseg.labels import make_table

    load(path)  # raises the refusal
    for series in find_series(path):
        if series.geometry is None:
            continue
        mask = np.zeros(series.geometry.shape, np.uint8)
        mask[tuple(n // 2 for n in mask.shape)] = 1
        about = {
            **{"source": describe_source(series), "geometry": series.geometry},
            **{"labels": make_table(["liver"]), "algorithm": Algorithm("liver", "1.0")},
        }
        with tempfile.TemporaryDirectory() as folder:
            write_seg(mask, Path(folder) / "seg.dcm", **about)
            write_rtstruct(mask, Path(folder) / "rtstruct.dcm", **about)
            found = highdicom.seg.segread(Path(folder) / "seg.dcm")
            assert int(found.pixel_array.sum()) == 1
    return None


def _one_volume(path: Path) -> object:
    return load_file(path, volume=0, units="stated")


def _grey(path: Path) -> object:
    from medseg.ingest.pictures.load import PictureReader  # brings torch along, which takes seconds

    return PictureReader().get_data([path])


def _colour(path: Path) -> object:
    from medseg.ingest.pictures.load import PictureReader

    return PictureReader(colour=True).get_data([path])


# Readers with one fault each, by which the tests see that the worker tells faults from refusals.


def _raise_undocumented(path: Path) -> object:
    raise KeyError("nobody documented this")


def _allocate_much(path: Path) -> object:
    return np.empty(2**30, np.uint8)


def _allocate_too_much(path: Path) -> object:
    return np.empty(2 * LARGEST_ADDRESS_SPACE, np.uint8)


def _run_on(path: Path) -> object:
    while True:
        time.sleep(0.01)


def _crash(path: Path) -> object:
    os.abort()


READERS: dict[str, Callable[[Path], object]] = {
    "series": _find_and_load,
    "written back": _write_back,
    "volume": _one_volume,
    "grey": _grey,
    "colour": _colour,
}

FAULTY: dict[str, Callable[[Path], object]] = {
    "raises": _raise_undocumented,
    "allocates": _allocate_much,
    "exhausts": _allocate_too_much,
    "hangs": _run_on,
    "crashes": _crash,
}


def _outcome(read: Callable[[], object], *, seconds: float) -> str:
    faulthandler.dump_traceback_later(3 * seconds, exit=True)  # where no signal reaches Python
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        read()
    except IngestError as error:
        return str(error.code)
    except (Exception, Hung) as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
    return "read"


def address_space() -> int:
    """The most bytes of address space that this process ever had."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmPeak:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status states no VmPeak")


def _quiet_and_limited() -> None:
    def stop(*_: object) -> None:
        raise Hung("too many seconds")

    signal.signal(signal.SIGALRM, stop)
    limit = address_space() + LARGEST_ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)


if __name__ == "__main__":
    sys.exit(main())
