"""Tests of medseg.planning.plan_page: a page that shows the data and explains the plan."""

import re
from dataclasses import replace

import pytest
from planning.test_plan import PICTURES
from planning.test_plan_folder import data as data  # a fixture

from medseg.labels import COLOURS
from medseg.planning.checks.doubts import Doubt
from medseg.planning.plan import make_plan
from medseg.planning.plan_folder import plan_folder
from medseg.planning.plan_page import write_plan_page
from medseg.planning.task import LayerChoice


@pytest.fixture
def write(data, tmp_path):
    planned = plan_folder("kidney", data)

    def make(**changes):
        options = {
            "name": "kidney",
            "place": "kidney",
            "found": planned.found,
            "choices": planned.choices,
            "classes": planned.classes,
            "facts": planned.facts,
            "doubts": planned.doubts,
            **changes,
        }
        write_plan_page(tmp_path / "plan.html", **options)
        return (tmp_path / "plan.html").read_text()

    return make


def test_each_choice_stands_with_its_value_and_why(write, data):
    text = write()
    for choice in plan_folder("kidney", data).choices:
        assert f"<code>{choice.key}</code>" in text
        assert choice.why in text
    assert "6, volumes, not CT, 1 channel" in text
    assert "class kidney" in text


def test_every_case_has_a_picture_and_the_odd_ones_come_first(write):
    text = write(doubts=[Doubt("p1_3", "is odd"), Doubt("p1_3", "and heavy")])
    assert text.count("data:image/jpeg;base64,/9j/") == 6
    assert text.index("is odd; and heavy") < text.index("The data")
    captions = re.findall(r"<figcaption>(\w+)", text)
    assert captions[0] == "p1_3"
    assert sorted(captions) == ["p0_0", "p0_1", "p1_2", "p1_3", "p2_4", "p2_5"]


def test_what_was_told_of_the_data_stands_above_it_and_many_alike_in_one_line(write):
    alike = [f"case p{n}_{n} is of an odd kind" for n in range(4)]
    text = write(notes=["left out, as images without a label: x (1)", *alike])
    assert text.index("<p>Left out, as images without a label: x (1).</p>") < text.index("The data")
    assert text.count("is of an odd kind") == 1
    assert "likewise in 3 other cases" in text


def test_nothing_of_the_data_is_markup_and_nothing_is_loaded(write):
    text = write(name="<script>x</script>", doubts=[Doubt("p1_3", "<img src=x>")])
    assert "<script" not in text
    assert "<img src=x>" not in text
    assert not re.search(r"(src|href)=\"(?!data:)", text)


def test_the_split_is_stated_and_its_doubts_are_warnings(write):
    text = write(split=["6 cases: 1 for testing", "only 1 case for testing"])
    assert "<th>split</th><td>6 cases: 1 for testing</td>" in text
    assert "<p>Only 1 case for testing.</p>" in text
    assert 'aria-label="Warnings"' not in write()


def test_the_colours_of_the_pictures_have_the_names_of_the_classes(write, data):
    colour = "rgb({}, {}, {})".format(*COLOURS[0])
    assert re.search(rf'fill="{re.escape(colour)}"/></svg> kidney \(label 1\)</li>', write())


def test_what_a_step_takes_is_said(write):
    assert "a step takes 2 s" in write(costs=["a step takes 2 s"])


def test_volumes_are_described_in_mm_with_their_anisotropy_and_parts(write, data):
    found = plan_folder("kidney", data).found
    odd = replace(found, spacing_mm=(1.0, 1.0, 3.0), parts={1: 4.0}, part_mm={1: 1.26})
    text = write(found=odd)
    assert "voxels are 3 times as long along one axis as along another" in text
    assert "in 4 separate parts with a median volume of 2 mm³ (a cube 1.26 mm wide)" in text
    even = replace(odd, spacing_mm=(2.0, 2.0, 2.0))
    assert "none: voxels are as long along each axis" in write(found=even)


def test_pictures_are_described_in_whole_pixels(write):
    shares, present, edge = {1: 1.0}, {1: 260}, {1: 59.43}
    found = replace(PICTURES, values=(0, 1), shares=shares, present=present, smallest_mm=edge)
    text = write(found=found, choices=make_plan(found))
    size = "a median area of 3532 pixels (a square 59 pixels wide)"
    assert f"100.0 % of the labelled pixels; {size}" in text
    assert "voxel" not in text
    assert "cube" not in text


def test_what_comes_from_the_layers_stands_apart_with_what_to_write(write):
    one = LayerChoice("orient", "RAS", "by its affine", 'write `"orient#axcodes": "<i>"` here')
    first, _, second = write(of_layers=[one]).partition("<h2>From the layers</h2>")
    assert "<code>orient</code>" not in first
    stated = "write <code>&#34;orient#axcodes&#34;: &#34;&lt;i&gt;&#34;</code> here"
    assert stated in second
    assert "From the layers" not in write()


def test_the_table_of_dicom_objects_says_which_series_a_case_is(write):
    text = write(dicom_rows=[("case_002", "a/ct", "SEG a/<x>.dcm", "ROI-1 = roi_1")])
    assert (
        "<td>case_002</td><td>a/ct</td><td>SEG a/&lt;x&gt;.dcm</td><td>ROI-1 = roi_1</td>" in text
    )
    assert "What was matched" not in write()
