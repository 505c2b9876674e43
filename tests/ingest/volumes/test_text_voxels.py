"""Tests of medseg.ingest.volumes.text_voxels: as many numbers as the header promises."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from medseg.ingest import IngestError, Reason
from medseg.ingest.volumes.text_voxels import parse_text


def header_of(path, count, dtype="<i2"):
    dtype = np.dtype(dtype)
    return SimpleNamespace(
        files=(path,), size=count * dtype.itemsize, dtype=dtype, packed_from=0, offset=0
    )


@pytest.mark.parametrize("text", ["1 -2 3", "1, -2,\n3\n", "\t1 -2\r\n3"])
def test_blanks_and_commas_separate_numbers(text, tmp_path):
    (tmp_path / "a").write_text(text)
    assert parse_text(header_of(tmp_path / "a", 3)).tolist() == [1, -2, 3]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 2", Reason.TRUNCATED),
        ("1 2 3 4", Reason.TRAILING_BYTES),
        ("1 2.5 3", Reason.UNREADABLE),
        ("1 99999 3", Reason.UNREADABLE),
    ],
)
def test_other_numbers_than_are_promised_are_refused(text, reason, tmp_path):
    (tmp_path / "a").write_text(text)
    with pytest.raises(IngestError) as caught:
        parse_text(header_of(tmp_path / "a", 3))
    assert caught.value.code is reason
