"""Tests of medseg.datasets.lidc.annotations_xml."""

import numpy as np
import pytest

from medseg.datasets.lidc.annotations_xml import SCALES, Contour, Kind, read_xml, read_xml_header

_CT = "http://www.nih.gov"
_CXR = "http://www.nih.gov/idri"


def _roi(points, *, z="-527.8", uid="1.2.3", inclusion="TRUE"):
    edges = "".join(
        f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in points
    )
    return (
        f"<roi><imageZposition>{z}</imageZposition><imageSOP_UID>{uid}</imageSOP_UID>"
        f"<inclusion>{inclusion}</inclusion>{edges}</roi>"
    )


def _nodule(*rois, name="1", ratings=""):
    return (
        f"<unblindedReadNodule><noduleID>{name}</noduleID>"
        f"<characteristics>{ratings}</characteristics>{''.join(rois)}</unblindedReadNodule>"
    )


_NON_NODULE = (
    "<nonNodule><nonNoduleID>9</nonNoduleID><imageZposition>-5</imageZposition>"
    "<imageSOP_UID>1.2.4</imageSOP_UID><locus><xCoord>7</xCoord><yCoord>8</yCoord></locus>"
    "</nonNodule>"
)
_SQUARE = [(1, 1), (3, 1), (3, 3), (1, 3)]


def _message(*sessions, space=_CT):
    declared = f' xmlns="{space}"' if space else ""
    body = "".join(f"<readingSession>{session}</readingSession>" for session in sessions)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><LidcReadMessage uid="1"{declared}>'
        "<ResponseHeader><Version>1.8.1</Version><SeriesInstanceUid> 1.2 </SeriesInstanceUid>"
        f"</ResponseHeader>{body}</LidcReadMessage>"
    )


@pytest.fixture
def read(tmp_path):
    """Read XML given as text."""

    def read(text):
        path = tmp_path / "case.xml"
        path.write_text(text, encoding="utf-8")
        return read_xml(path)

    return read


@pytest.mark.parametrize("space", [_CT, ""])
def test_a_ct_read_is_read_with_its_name_space_and_without(read, space):
    reads = read(_message(_nodule(_roi(_SQUARE)), _NON_NODULE, "", "", space=space))
    assert (reads.series_uid, reads.modality, reads.readers) == ("1.2", "CT", 4)
    nodule, other = reads.marks
    assert (nodule.reader, nodule.name, nodule.kind) == (1, "1", Kind.NODULE)
    assert nodule.contours == (Contour(tuple(_SQUARE), "1.2.3", -527.8, True),)
    assert (other.reader, other.name, other.kind) == (2, "9", Kind.NON_NODULE)
    assert other.contours == (Contour(((7, 8),), "1.2.4", -5.0, True),)


def test_a_radiograph_read_has_the_series_of_the_radiograph_and_no_z(read):
    text = (
        f'<IdriReadMessage xmlns="{_CXR}"><ResponseHeader>'
        "<CTSeriesInstanceUid>1.1</CTSeriesInstanceUid>"
        "<CXRSeriesInstanceUid>1.9</CXRSeriesInstanceUid></ResponseHeader>"
        "<CXRreadingSession><unblindedRead><noduleID>N-1</noduleID>"
        "<characteristics><confidence>3</confidence><subtlety>4</subtlety></characteristics>"
        "<roi><imageSOP_UID>1.8</imageSOP_UID>"
        "<edgeMap><xCoord>300</xCoord><yCoord>900</yCoord></edgeMap></roi>"
        "</unblindedRead></CXRreadingSession></IdriReadMessage>"
    )
    reads = read(text)
    assert (reads.series_uid, reads.modality, reads.readers) == ("1.9", "CXR", 1)
    (mark,) = reads.marks
    assert mark.characteristics == (("subtlety", 4),)
    assert mark.contours == (Contour(((300, 900),), "1.8", None, True),)


def test_a_nodule_of_single_points_only_is_small(read):
    reads = read(_message(_nodule(_roi([(4, 5)])), _nodule(_roi([(4, 5)]), _roi(_SQUARE))))
    assert [mark.kind for mark in reads.marks] == [Kind.SMALL, Kind.NODULE]


def test_exclusions_are_told_apart(read):
    reads = read(_message(_nodule(_roi(_SQUARE), _roi(_SQUARE, inclusion="FALSE"))))
    assert [contour.inclusion for contour in reads.marks[0].contours] == [True, False]


def test_the_nine_characteristics_are_read_and_those_off_their_scale_set_apart(read):
    ratings = "".join(f"<{name}>{last}</{name}>" for name, last in SCALES.items())
    (mark,) = read(_message(_nodule(_roi(_SQUARE), ratings=ratings))).marks
    assert dict(mark.characteristics) == SCALES
    assert len(SCALES) == 9
    bad = "<internalStructure>5</internalStructure><margin>0</margin><texture>1</texture>"
    (mark,) = read(_message(_nodule(_roi(_SQUARE), ratings=bad))).marks
    assert mark.characteristics == (("texture", 1),)
    assert mark.off_scale == (("internalStructure", 5), ("margin", 0))


def test_absent_uid_and_position_are_empty_and_none(read):
    (mark,) = read(_message(_nodule(_roi(_SQUARE, z="", uid="")))).marks
    assert (mark.contours[0].sop_uid, mark.contours[0].z_mm) == ("", None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<LidcReadMessage", "unclosed token"),
        ("", "no element found"),
        ("<html/>", "its root element is html"),
        ('<LidcReadMessage xmlns="http://example.org"/>', "its root element is {http://example"),
        (_message(_nodule(_roi([("a", 1)]))), "'a' is not a whole number"),
        (_message(_nodule(_roi([(1, "")]))), "'' is not a whole number"),
        (_message(_nodule(_roi(_SQUARE, z="nan"))), "'nan' is not a position"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_name(read, text, reason):
    with pytest.raises(ValueError, match=r"case\.xml cannot be read as LIDC-IDRI XML") as caught:
        read(text)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_header_is_read_without_the_rest(tmp_path):
    path = tmp_path / "case.xml"
    whole = _message(_nodule(_roi(_SQUARE)))
    path.write_text(whole[: whole.index("</ResponseHeader>") + 30])
    assert read_xml_header(path) == ("CT", "1.2")
    with pytest.raises(ValueError, match="cannot be read"):
        read_xml(path)


def test_the_header_of_another_file_is_refused(tmp_path):
    path = tmp_path / "case.xml"
    path.write_text("<html/>")
    with pytest.raises(ValueError, match=r"case\.xml cannot be read"):
        read_xml_header(path)


def test_damaged_files_are_read_or_refused_and_nothing_else(tmp_path):
    whole, rng = _message(_nodule(_roi(_SQUARE)), _NON_NODULE).encode(), np.random.default_rng(0)
    path, refused = tmp_path / "case.xml", 0
    for _ in range(500):
        text = bytearray(whole[: rng.integers(1, 2 * len(whole))])
        for place in rng.integers(len(text), size=2):
            text[place] = rng.integers(256)
        path.write_bytes(text)
        for read in (read_xml, read_xml_header):
            try:
                read(path)
            except ValueError as error:
                assert "case.xml cannot be read" in str(error)  # noqa: PT017 -- may also succeed
                refused += 1
    assert 200 < refused < 1000


@pytest.mark.parametrize("encoding", ["UTF-9", "base64", "utf-7"])
def test_an_unknown_encoding_is_refused(read, encoding):
    with pytest.raises(ValueError, match="cannot be read"):
        read(_message().replace("UTF-8", encoding))


@pytest.mark.realdata
def test_every_published_file_is_read(data_root):
    files = sorted((data_root / "lidc" / "annotations_only").glob("*.xml"))
    reads = [read_xml(file) for file in files]
    assert len(files) == 40
    assert sum(len(r.marks) for r in reads) == 398  # counted with grep
    assert sum(len(mark.contours) for r in reads for mark in r.marks) == 1722
    points = (len(c.points) for r in reads for mark in r.marks for c in mark.contours)
    assert sum(points) == 79244
    assert all(len(mark.characteristics) == 9 for r in reads for mark in r.marks)
    assert [read_xml_header(f) for f in files] == [(r.modality, r.series_uid) for r in reads]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("reader", [read_xml, read_xml_header])
def test_entities_are_refused_unexpanded(reader, encoding, tmp_path):
    levels = "".join(f'<!ENTITY a{k + 1} "{f"&a{k};" * 10}">' for k in range(9))
    bomb = f'<!DOCTYPE x [<!ENTITY a0 "ha">{levels}]><LidcReadMessage>&a9;</LidcReadMessage>'
    path = tmp_path / "bomb.xml"
    path.write_bytes(f'<?xml version="1.0" encoding="{encoding}"?>{bomb}'.encode(encoding))
    with pytest.raises(ValueError, match="declares entities") as caught:
        reader(path)
    assert str(path) in str(caught.value)
