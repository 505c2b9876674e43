"""The page of a case in Chromium: it shows each voxel where it is, and asks nobody for anything."""

from __future__ import annotations

import json
import re
from datetime import date
from io import BytesIO

import nibabel as nib
import numpy as np
import pytest
from integration.chromium import needs_chromium, open_browser
from PIL import Image

from medseg.geometry import Geometry
from medseg.labels import make_table
from medseg.report import describe_measurement, measure_structures
from medseg.report.page.case_page import CaseFacts, write_case_page
from medseg.report.page.index_page import write_index
from medseg.report.page.shown_volume import shrink_volume

pytestmark = [pytest.mark.long, needs_chromium]

SHAPE = (40, 48, 32)
HOT = (6, 39, 25)
"""The voxel that is bright: of an array along R, A and S it is far to the left, front and top."""

BACKGROUND, BRIGHT = 300, 1000  # HU, in the window of bones
CLASSES = ("organ", "part")
PATIENT = "<script>window.hurt = true</script><img src=x onerror='window.hurt = true'>"
WIDTHS = (360, 1024, 1920)

AXES = {
    "RAS": np.diag([1.0, 1.0, 1.5, 1.0]),
    "left-handed LAS": np.diag([-1.0, 1.0, 1.5, 1.0]),
    "LPS, as DICOM": np.diag([-1.0, -1.0, 1.5, 1.0]),
    "oblique": np.array(
        [
            [0.94, -0.30, 0.17, -9.0],
            [0.33, 0.91, -0.24, 4.0],
            [-0.08, 0.28, 1.43, 7.0],
            [0, 0, 0, 1],
        ]
    ),
    "sagittal slices": np.array(
        [[0, 0, 1.5, 2.0], [0, 1.0, 0, -5.0], [-1.0, 0, 0, 3.0], [0, 0, 0, 1.0]]
    ),
}


def make_png():
    file = BytesIO()
    Image.new("RGB", (800, 500), (30, 90, 160)).save(file, format="png")
    return file.getvalue()


def write(path, *, affine=AXES["RAS"], classes=CLASSES, mask=None, image=None, **facts):
    if mask is None:
        mask = np.zeros(SHAPE, np.uint8)
        mask[10:22, 12:26, 8:20] = 1
        mask[26:31, 30:35, 20:24] = 2
    if image is None:
        image = np.full(mask.shape, 40, np.int16)
    geometry, labels = Geometry(mask.shape, affine), make_table(list(classes))
    found = measure_structures(mask, geometry, labels, image=image)
    about = {
        "case": "study",
        "made_by": "liver 0.1.0",
        "day": date(2026, 1, 2),
        "labels": labels,
        "names": classes,
        "unit": "HU",
        "measured": [describe_measurement(one, labels) for one in found],
        "preview": make_png(),
        **facts,
    }
    shown = shrink_volume(image, mask, geometry, unit="HU")
    write_case_page(path, CaseFacts(**about), shown)
    return [describe_measurement(one, labels) for one in found]


@pytest.fixture(scope="module")
def tab():
    with open_browser() as opened:
        opened.set_size(1024, 900)
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "study_report.html"
    measured = write(path, patient=[("Patient", PATIENT)], notes=["the slices are 16 mm apart"])
    return path, measured


def open_page(tab, path, *, width=1024, height=900, script=True):
    tab.set_size(width, height)
    tab.open(path, script=script)
    if script:
        tab.wait_for("document.documentElement.dataset.ready")
        assert tab.evaluate("document.documentElement.dataset.ready") == "viewer"
        tab.evaluate("document.querySelector('.screen').style.borderRadius = 0")  # white corners


@pytest.fixture
def opened(tab, page):
    """The page of two structures, with its viewer ready."""
    open_page(tab, page[0])
    return tab


def look(tab, selector):
    """What an element shows, (rows, columns, 3), integers, without the letters above it."""
    tab.evaluate("document.getElementById('letters').style.visibility = 'hidden'")
    tab.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    left, top, width, height = tab.evaluate(
        f"(() => {{ const e = document.querySelector('{selector}'); e.scrollIntoView();"
        " const r = e.getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; })()"
    )
    picture = tab.take_picture()
    return picture[round(top) : round(top + height), round(left) : round(left + width)].astype(int)


def is_coloured(picture):
    return picture.max(axis=-1) - picture.min(axis=-1) > 40


def test_the_canvases_show_the_image_and_the_structures(opened):
    slices, solid = look(opened, "#slices"), look(opened, "#solid")
    assert len(np.unique(slices.reshape(-1, 3), axis=0)) > 10
    assert is_coloured(slices).mean() > 0.005
    assert is_coloured(solid).mean() > 0.02


def test_a_switch_takes_one_structure_out_and_puts_it_back(opened):
    opened.evaluate("document.getElementById('crosshair').click()")
    before = look(opened, "#slices")
    opened.evaluate("document.querySelector('[data-value=\"1\"]').click()")
    without = look(opened, "#slices")
    assert is_coloured(before).sum() > is_coloured(without).sum() + 100
    opened.evaluate("document.querySelector('[data-value=\"1\"]').click()")
    np.testing.assert_array_equal(look(opened, "#slices"), before)


def test_the_opacity_goes_from_nothing_to_the_full_colour(opened):
    opened.evaluate("document.getElementById('crosshair').click()")
    opened.evaluate("document.querySelector('[data-view=axial]').click()")
    shares = []
    for value in (0, 50, 100):
        opened.evaluate(
            f"(() => {{ const o = document.getElementById('opacity'); o.value = {value};"
            " o.dispatchEvent(new Event('input')); })()"
        )
        picture = look(opened, "#slices")
        shares.append((picture.max(axis=-1) - picture.min(axis=-1)).max())
    assert shares[0] < 20 < shares[1] < shares[2]


def find_spot(picture):
    """Where the bright spot is within the picture of the volume, (across, down), each 0 to 1."""
    grey = picture.mean(axis=-1)
    rows, columns = np.nonzero(grey > 60)
    bright_rows, bright_columns = np.nonzero(grey > 225)
    assert len(bright_rows), "no bright spot"
    box = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    assert len(bright_rows) < 0.05 * (box[1] - box[0]) * (box[3] - box[2])
    down = (bright_rows.mean() + 0.5 - box[0]) / (box[1] - box[0])
    across = (bright_columns.mean() + 0.5 - box[2]) / (box[3] - box[2])
    return across, down


def read_letters(tab):
    """The letters at the left, right, upper and lower edge of the only slice that is shown."""
    return tab.evaluate(
        "['left', 'right', 'top', 'bottom'].map(c =>"
        " [...document.querySelectorAll(`#letters .at-${c}`)].map(e => e.textContent).join())"
    )


def share_of(affine, letter):
    """How far the hot voxel is on the way to a side of the patient, 0 to 1, by the axes alone."""
    codes = nib.aff2axcodes(affine)
    opposite = dict(zip("RLAPSI", "LRPAIS", strict=True))[letter]
    axis = next(k for k, code in enumerate(codes) if code in (letter, opposite))
    share = (HOT[axis] + 0.5) / SHAPE[axis]
    return share if codes[axis] == letter else 1 - share


@pytest.mark.parametrize("name", AXES)
def test_a_hot_voxel_is_where_it_is_in_the_patient(tab, tmp_path, name):
    affine = AXES[name]
    image = np.full(SHAPE, BACKGROUND, np.int16)
    image[tuple(slice(k - 1, k + 2) for k in HOT)] = BRIGHT
    path = tmp_path / "hot_report.html"
    write(path, affine=affine, image=image, window=(-500.0, 1300.0), mask=np.zeros(SHAPE, np.uint8))
    open_page(tab, path)
    x, y, z = Geometry(SHAPE, affine).voxel_to_world(HOT)
    tab.evaluate(
        f"viewer.setCrosshair(false); viewer.setWindow(0, {BRIGHT}); viewer.goTo([{x}, {y}, {z}])"
    )
    assert tab.evaluate("viewer.slices.frac2mm(viewer.slices.scene.crosshairPos, 0, true)[0]") == (
        pytest.approx(x, abs=0.8)
    )
    sides = {"axial": ("L", "P"), "coronal": ("L", "I"), "sagittal": ("P", "I")}
    for view, (across, down) in sides.items():
        tab.evaluate(f"document.querySelector('[data-view={view}]').click()")
        expected = share_of(affine, across), share_of(affine, down)
        assert find_spot(look(tab, "#slices")) == pytest.approx(expected, abs=0.03), view
        assert read_letters(tab)[1::2] == [across, down]
    tab.evaluate("document.getElementById('radiological').click()")
    for view, across in {"axial": "R", "coronal": "R", "sagittal": "P"}.items():
        tab.evaluate(f"document.querySelector('[data-view={view}]').click()")
        found, _ = find_spot(look(tab, "#slices"))
        assert found == pytest.approx(share_of(affine, across), abs=0.03), view
        assert read_letters(tab)[1] == across
    assert "Neurological" in tab.evaluate("document.getElementById('convention').textContent")


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_letters_lie_at_the_edges_of_their_slices(tab, page, width, scale):
    tab.set_size(width, 900, scale=scale)
    tab.open(page[0])
    tab.wait_for("document.documentElement.dataset.ready")
    tab.evaluate("document.querySelector('[data-view=axial]').click()")
    stage, *letters = tab.evaluate(
        "[document.getElementById('stage'),"
        " ...document.querySelectorAll('#letters span:not(.bar)')]"
        ".map(element => element.getBoundingClientRect())"
        ".map(box => [box.left, box.top, box.right, box.bottom])"
    )
    (left, right), (top, bottom) = (letters[0], letters[1]), (letters[2], letters[3])
    for one in letters:
        assert stage[0] <= one[0] < one[2] <= stage[2]
        assert stage[1] <= one[1] < one[3] <= stage[3]
    assert right[0] - left[2] > 0.3 * (stage[2] - stage[0])
    assert bottom[1] - top[3] > 0.5 * (stage[3] - stage[1])


@pytest.mark.parametrize("name", ["RAS", "oblique"])
def test_the_label_of_a_place_and_its_colour_lie_on_its_voxel(tab, tmp_path, name):
    mask = np.zeros(SHAPE, np.uint8)
    mask[tuple(slice(k - 2, k + 3) for k in HOT)] = 2
    path = tmp_path / "label_report.html"
    write(path, affine=AXES[name], mask=mask)
    open_page(tab, path)
    assert tab.evaluate("document.getElementById('place').textContent").endswith("40 HU · part")
    tab.evaluate("viewer.setCrosshair(false); document.querySelector('[data-view=axial]').click()")
    tab.evaluate("viewer.setWindow(-60, 60)")
    picture = look(tab, "#slices")
    rows, columns = np.nonzero(picture.max(axis=-1) > 60)
    down, across = np.nonzero(is_coloured(picture))
    share = (across.mean() - columns.min()) / np.ptp(columns)
    assert share == pytest.approx(share_of(AXES[name], "L"), abs=0.03)
    share = (down.mean() - rows.min()) / np.ptp(rows)
    assert share == pytest.approx(share_of(AXES[name], "P"), abs=0.03)


def test_the_name_of_a_structure_moves_the_crosshair_to_its_centre(opened, page):
    centre = page[1][1]["centroid_mm"]
    opened.evaluate("document.querySelectorAll('button.go')[1].click()")
    place = opened.evaluate("document.getElementById('place').textContent")
    letters = [("LR"[c >= 0], "PA"[c >= 0], "IS"[c >= 0])[k] for k, c in enumerate(centre)]
    numbers = [float(text) for text in re.findall(r"[LRPAIS] (\d+\.\d)", place)]
    assert re.findall(r"([LRPAIS]) \d", place) == letters
    assert numbers == pytest.approx(np.abs(centre), abs=0.8)  # a voxel is 1.5 mm thick
    assert place.endswith("part")


def test_the_table_has_the_numbers_that_were_measured(opened, page):
    rows = opened.evaluate(
        "[...document.querySelectorAll('table.measured tbody tr')].map(row =>"
        " [...row.querySelectorAll('td')].map(cell => cell.innerText))"
    )
    for cells, one in zip(rows, page[1], strict=True):
        assert float(cells[0]) == pytest.approx(one["volume_ml"], rel=0.01)
        assert float(cells[1]) == pytest.approx(one["long_axis_mm"], abs=0.05)
        assert float(cells[6]) == pytest.approx(one["surface_mm2"] / 100, abs=0.05)
        assert cells[2] == str(one["slice_index"] + 1)
        assert cells[7] == "40.0 (0.0)"


def test_a_window_changes_the_picture_and_its_numbers(opened):
    before = look(opened, "#slices")
    opened.evaluate(
        "(() => { const s = document.getElementById('window'); s.selectedIndex = 4;"
        " s.dispatchEvent(new Event('change')); })()"
    )
    assert opened.evaluate("document.getElementById('window').selectedOptions[0].text") == "Bone"
    assert opened.evaluate("document.getElementById('width').value") == "1800"
    assert opened.evaluate("document.getElementById('level').value") == "400"
    assert np.abs(look(opened, "#slices") - before).max() > 30
    opened.evaluate(
        "(() => { const w = document.getElementById('width'); w.value = '100';"
        " w.dispatchEvent(new Event('change')); })()"
    )
    assert opened.evaluate("viewer.window.join()") == "350,450"
    assert opened.evaluate("document.getElementById('window').value") == "own"


def test_a_width_that_is_no_width_changes_nothing(opened):
    before = opened.evaluate("viewer.window.join()")
    opened.evaluate(
        "(() => { const w = document.getElementById('width'); w.value = '-5';"
        " w.dispatchEvent(new Event('change')); })()"
    )
    assert opened.evaluate("viewer.window.join()") == before
    assert float(opened.evaluate("document.getElementById('width').value")) > 0


def test_nothing_is_logged_and_nobody_is_asked(opened, page):
    for view in ("axial", "coronal", "sagittal", "solid", "all"):
        opened.evaluate(f"document.querySelector('[data-view={view}]').click()")
    look(opened, "#slices")
    assert opened.list_complaints() == []
    asked = [url for url in opened.list_requests() if not url.startswith(("data:", "blob:"))]
    assert asked == [page[0].as_uri()]


def test_a_name_with_a_script_stays_text(opened):
    assert opened.evaluate("document.querySelector('.patient dd').textContent") == PATIENT
    assert opened.evaluate("typeof window.hurt") == "undefined"


def test_the_policy_stops_a_script_and_a_connection(opened):
    assert (
        opened.evaluate(
            "(() => { const s = document.createElement('script'); s.text = 'window.foreign = 1';"
            " document.body.append(s); return typeof window.foreign; })()"
        )
        == "undefined"
    )
    assert (
        opened.evaluate(
            "new Promise(done => { addEventListener('securitypolicyviolation', e =>"
            " done(e.violatedDirective)); fetch('http://127.0.0.1:9/').catch(() => 0); })"
        )
        == "connect-src"
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(tab, page, width):
    open_page(tab, page[0], width=width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    left, right = tab.evaluate(
        "(() => { const r = document.getElementById('stage').getBoundingClientRect();"
        " return [r.left, r.right]; })()"
    )
    assert 0 <= left < right <= width
    assert right - left > 0.5 * min(width, 1024)


READ_CONTRAST = """
(() => {
  const parse = text => {
    const [r, g, b, a] = text.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a ?? 1];
  };
  const shine = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v =>
    v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    if (/^(SCRIPT|STYLE|NOSCRIPT|OPTION)$/.test(element.tagName)) continue;
    let around = element;
    while (around && parse(getComputedStyle(around).backgroundColor)[3] < 1) {
      around = around.parentElement;
    }
    const back = around ? getComputedStyle(around).backgroundColor : "rgb(255,255,255)";
    const [a, b] = [getComputedStyle(element).color, back].map(c => shine(parse(c)));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${element.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return found;
})()
"""


def test_every_text_has_the_contrast_of_wcag_aa(opened):
    assert opened.evaluate(READ_CONTRAST) == []


def test_every_control_is_reached_and_seen_by_the_keyboard(opened):
    opened.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    seen = []
    for _ in range(60):
        opened.press("Tab", code=9)
        found = opened.evaluate(
            "(() => { const e = document.activeElement; if (e === document.body) return null;"
            " return [e.id || e.dataset.view || e.dataset.value || e.textContent.trim(),"
            " getComputedStyle(e).outlineStyle, e.labels?.[0]?.textContent.trim()"
            " || e.ariaLabel || e.textContent.trim() || e.getAttribute('aria-labelledby')]; })()"
        )
        if found is None:
            break
        seen.append(found)
    names = [name for name, _, _ in seen]
    for name in ("slices", "axial", "opacity", "1", "2", "window", "width", "axis-2", "crosshair"):
        assert name in names
    assert {"organ", "part"} <= set(names)
    assert all(outline != "none" and label for _, outline, label in seen), seen


def test_keys_move_through_the_slices_and_switch(opened):
    opened.evaluate("document.getElementById('slices').focus()")
    before = [opened.evaluate(f"viewer.index({axis})") for axis in range(3)]
    opened.press("PageUp", code=33)
    opened.press("ArrowUp", code=38)
    opened.press("ArrowRight", code=39)
    after = [opened.evaluate(f"viewer.index({axis})") for axis in range(3)]
    assert after == [before[0] - 1, before[1] + 1, before[2] + 1]  # the right is the patient's left
    opened.evaluate("document.querySelector('[data-value=\"2\"]').focus()")
    opened.press(" ", code=32)
    assert opened.evaluate("viewer.hidden.has(2)")


def test_without_javascript_there_are_the_picture_and_the_table(tab, page):
    open_page(tab, page[0], script=False)
    picture = look_without_script(tab)
    assert (np.abs(picture - (30, 90, 160)).max(axis=-1) < 12).mean() > 0.2
    tree = tab.call("DOM.getDocument", depth=-1)["root"]
    html = tab.call("DOM.getOuterHTML", nodeId=tree["nodeId"])["outerHTML"]
    assert '<h2 id="measured">' in html


def look_without_script(tab):
    return tab.take_picture().astype(int)


def test_without_webgl2_the_picture_stands_for_the_viewer(tab, page):
    source = "HTMLCanvasElement.prototype.getContext = () => null"
    added = tab.call("Page.addScriptToEvaluateOnNewDocument", source=source)
    try:
        tab.open(page[0])
        tab.wait_for("document.documentElement.dataset.ready")
        assert tab.evaluate("document.documentElement.dataset.ready") == "picture"
        assert "no WebGL2" in tab.evaluate("document.getElementById('failed').textContent")
        assert tab.evaluate("document.querySelector('.preview').checkVisibility()")
        assert not tab.evaluate("document.getElementById('viewer').checkVisibility()")
        assert not tab.evaluate("document.querySelector('.go').checkVisibility()")
    finally:
        tab.call("Page.removeScriptToEvaluateOnNewDocument", **added)


@pytest.mark.parametrize("count", [2, 4, 5, 14, 22])
def test_a_case_is_printed_on_one_page(tab, tmp_path, count):
    mask = np.zeros(SHAPE, np.uint8)
    for k in range(count):
        mask[4 + k : 5 + k, 5:20, 4:20] = k + 1
    path = tmp_path / "print_report.html"
    manifest = [("Weights, SHA-256", "a" * 64), ("Settings, SHA-256", "b" * 64)]
    manifest += [("Software", "medseg 0.1.0, " * 6), ("Image", "512 x 512"), ("Commit", "c" * 40)]
    classes = [f"structure {k}" for k in range(count)]
    files = [f"study{end}" for end in (".nii.gz", "_measurements.csv", "_seg.dcm")]
    notes = ["the slices are 16 mm apart", "the image states no modality"]
    write(path, mask=mask, classes=classes, manifest=manifest, files=files, notes=notes)
    open_page(tab, path)
    pdf = tab.print_pdf()
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
    assert len(re.findall(rb"/Subtype\s*/Image\b", pdf)) >= 1


def test_a_case_without_structures_has_no_3d_view(tab, tmp_path):
    path = tmp_path / "empty_report.html"
    write(path, mask=np.zeros(SHAPE, np.uint8))
    open_page(tab, path)
    assert not tab.evaluate("document.querySelector('[data-view=solid]').checkVisibility()")
    assert "not found" in tab.evaluate("document.querySelector('table.measured').innerText")
    assert tab.list_complaints() == []


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """The index of three cases with pages and of one that failed."""
    folder = tmp_path_factory.mktemp("index")
    for number, (size, notes) in {2: (6, ()), 10: (9, ["tilted"]), 9: (3, ())}.items():
        mask = np.zeros(SHAPE, np.uint8)
        mask[5 : 5 + size, 5 : 5 + size, 5 : 5 + size] = 1
        path = folder / f"case {number}_report.html"
        write(path, mask=mask, case=f"case {number}", notes=notes, thumbnail=make_jpeg())
    failed = {"case": PATIENT, "status": "failed", "reason": PATIENT}
    record = {"bundle": "liver 0.1.0", "started": "2026-01-03", "cases": [failed]}
    (folder / "segmentation_1.json").write_text(json.dumps(record))
    write_index(folder)
    return folder / "index.html"


def make_jpeg():
    file = BytesIO()
    Image.new("RGB", (80, 60), (30, 90, 160)).save(file, format="jpeg")
    return file.getvalue()


LIST_CASES = """
[...document.querySelectorAll('#table tbody tr')].filter(row => row.checkVisibility())
  .map(row => row.querySelector('th').firstChild.textContent.trim())
"""


def sort(tab, title):
    tab.evaluate(
        "[...document.querySelectorAll('.sort')]"
        f".find(button => button.innerText.startsWith('{title}')).click()"
    )
    return tab.evaluate(LIST_CASES)


def open_index(tab, index, *, width=1024):
    tab.set_size(width, 900)
    tab.open(index)
    tab.wait_for("document.documentElement.dataset.ready === 'index'")


def test_the_index_sorts_by_number_and_by_name(tab, index):
    open_index(tab, index)
    assert tab.evaluate(LIST_CASES) == [PATIENT, "case 2", "case 9", "case 10"]
    assert sort(tab, "organ") == ["case 9", "case 2", "case 10", PATIENT]
    assert sort(tab, "organ") == ["case 10", "case 2", "case 9", PATIENT]
    assert sort(tab, "Status") == [PATIENT, "case 10", "case 2", "case 9"]
    assert sort(tab, "Case")[1:] == ["case 2", "case 9", "case 10"]
    assert tab.evaluate("document.querySelector('[aria-sort]').ariaSort") == "ascending"


def test_the_index_filters_by_words_and_by_status(tab, index):
    open_index(tab, index)
    for field, value, expected in (
        ("words", "CASE tilt", ["case 10"]),
        ("words", "tilted", ["case 10"]),
        ("words", "", [PATIENT, "case 2", "case 9", "case 10"]),
        ("status", "failed", [PATIENT]),
        ("status", "warning", ["case 10"]),
        ("status", "done", ["case 2", "case 9"]),
    ):
        tab.evaluate(
            f"(() => {{ const e = document.getElementById('{field}'); e.value = '{value}';"
            " e.dispatchEvent(new Event('input')); e.dispatchEvent(new Event('change')); })()"
        )
        assert tab.evaluate(LIST_CASES) == expected
        shown = f"{len(expected)} of 4 shown"
        assert tab.evaluate("document.getElementById('count').textContent") == shown


def test_a_link_of_the_index_opens_the_page_of_its_case(tab, index):
    open_index(tab, index)
    tab.evaluate("document.querySelectorAll('#table a')[0].click()")
    tab.wait_for("document.querySelector('h1')?.textContent === 'case 2'")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_index_runs_no_text_and_is_readable(tab, index, width):
    open_index(tab, index, width=width)
    assert tab.evaluate("typeof window.hurt") == "undefined"
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate(READ_CONTRAST) == []
    assert tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth === 80)")
    assert tab.list_complaints() == []
    assert [url for url in tab.list_requests() if url[:5] != "data:"] == [index.as_uri()]


def test_on_a_narrow_screen_each_case_is_a_card_with_its_status(tab, index):
    open_index(tab, index, width=360)
    boxes = tab.evaluate(
        "[...document.querySelectorAll('#table .status')].map(e => e.getBoundingClientRect())"
        ".map(box => [box.left, box.right])"
    )
    assert len(boxes) == 4
    assert all(0 <= left < right <= 360 for left, right in boxes)


def test_on_a_narrow_screen_the_viewer_begins_with_one_slice(tab, page):
    open_page(tab, page[0], width=360)
    assert tab.evaluate("document.getElementById('stage').dataset.view") == "axial"


def test_keys_turn_the_structures_in_3d(opened):
    opened.evaluate("document.getElementById('solid').focus()")
    before = opened.evaluate("viewer.solid.scene.renderAzimuth")
    opened.press("ArrowRight", code=39)
    assert opened.evaluate("viewer.solid.scene.renderAzimuth") == before + 15
    opened.press("ArrowUp", code=38)
    assert opened.evaluate("viewer.solid.scene.renderElevation") == 25


def test_zooming_keeps_the_place_of_the_crosshair_and_its_thin_lines(opened):
    opened.evaluate("document.querySelector('[data-view=axial]').click()")
    before = count_crosshair(opened)
    bar = opened.evaluate("document.querySelector('#letters .bar').textContent")
    opened.evaluate("document.getElementById('slices').focus()")
    for _ in range(6):
        opened.press("+", code=187)
    assert opened.evaluate("viewer.slices.scene.pan2Dxyzmm[3]") == pytest.approx(1.25**6)
    after = count_crosshair(opened)
    assert max(*before[0], *after[0]) <= 3  # pixels
    assert after[1] == pytest.approx(before[1], abs=3)
    length = opened.evaluate("document.querySelector('#letters .bar').textContent")
    assert int(length.split()[0]) < int(bar.split()[0])
    opened.press("0", code=48)
    assert opened.evaluate("viewer.slices.scene.pan2Dxyzmm[3]") == 1


def count_crosshair(tab):
    """The width of the lines of the crosshair in pixels, and where they are, across and down."""
    red, green, blue = np.moveaxis(look(tab, "#slices"), -1, 0)
    is_line = (blue > 150) & (green > 120) & (red < 130)
    rows, columns = is_line.sum(axis=1), is_line.sum(axis=0)
    across, down = (np.flatnonzero(one > 0.5 * one.max()) for one in (columns, rows))
    return (len(across), len(down)), (across.mean(), down.mean())


def test_the_scale_bar_has_its_length(opened):
    opened.evaluate("document.querySelector('[data-view=axial]').click()")
    text, width = opened.evaluate(
        "(() => { const e = document.querySelector('#letters .bar');"
        " return [e.textContent, e.getBoundingClientRect().width]; })()"
    )
    picture = look(opened, "#slices")
    columns = np.flatnonzero((picture.max(axis=-1) > 60).any(axis=0))
    per_mm = (np.ptp(columns) + 1) / SHAPE[0]  # of voxels of 1 mm
    assert width == pytest.approx(int(text.split()[0]) * per_mm, rel=0.03)


def test_in_a_thin_volume_the_letters_do_not_overlap(tab, tmp_path):
    mask = np.zeros((60, 60, 3), np.uint8)
    mask[20:40, 20:40] = 1
    path = tmp_path / "thin_report.html"
    write(path, mask=mask)
    open_page(tab, path)
    boxes = tab.evaluate(
        "[...document.querySelectorAll('#letters span:not(.bar)')]"
        ".map(e => e.getBoundingClientRect()).map(b => [b.left, b.top, b.right, b.bottom])"
    )
    assert len(boxes) == 12
    for k, one in enumerate(boxes):
        for other in boxes[:k]:
            apart = one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3]
            assert apart or other[1] >= one[3], (one, other)


def print_as_screen(tab):
    """Show a page by its rules for print."""
    tab.call("Emulation.setEmulatedMedia", media="print")


def test_the_printed_index_has_the_status_of_each_case(tab, index):
    open_index(tab, index)
    print_as_screen(tab)
    try:
        shown = tab.evaluate(
            "[...document.querySelectorAll('.status')].map(e => e.checkVisibility() && e.innerText)"
        )
    finally:
        tab.call("Emulation.setEmulatedMedia", media="")
    assert sorted(shown) == ["done", "done", "failed", "warning"]


@pytest.mark.parametrize("name", AXES)
def test_slices_are_counted_as_in_the_file(tab, tmp_path, name):
    path = tmp_path / "count_report.html"
    write(path, affine=AXES[name])
    open_page(tab, path)
    x, y, z = Geometry(SHAPE, AXES[name]).voxel_to_world(HOT)
    tab.evaluate(f"viewer.goTo([{x}, {y}, {z}])")
    across = dict(zip("RLAPSI", [0, 0, 1, 1, 2, 2], strict=True))
    titles = ("sagittal", "coronal", "axial")
    expected = [
        f"{titles[across[code]]} {HOT[axis] + 1} of {SHAPE[axis]}"
        for axis, code in enumerate(nib.aff2axcodes(AXES[name]))
    ]
    told = tab.evaluate("document.getElementById('numbers').textContent")
    assert sorted(expected) == sorted(told.removeprefix("Slices of the file: ").split(", "))


ODD = {
    "one slice": ((48, 40, 1), "int16", np.eye(4)),
    "one voxel": ((1, 1, 1), "int16", np.eye(4)),
    "a few thick slices": ((40, 40, 3), "int16", np.diag([-1.0, -1.0, 12.0, 1.0])),
    "constant": ((20, 20, 20), "constant", np.eye(4)),
    "tiny values": ((20, 20, 20), "tiny", np.eye(4)),
    "large values": ((20, 20, 20), "large", np.eye(4)),
    "sheared": (
        (20, 20, 20),
        "int16",
        np.array([[1, 0.4, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    ),
    "far away": (
        (20, 20, 20),
        "int16",
        np.array([[1, 0, 0, 900], [0, 1, 0, -800], [0, 0, 1, 1500], [0, 0, 0, 1]]),
    ),
}


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        *((name, "HU") for name in ODD),
        *((name, "") for name in ("constant", "tiny values", "large values")),
    ],
)
def test_an_odd_volume_is_shown_without_a_complaint(tab, tmp_path, name, unit):
    shape, kind, affine = ODD[name]
    ramp = np.arange(np.prod(shape), dtype=float).reshape(shape)
    image = {
        "int16": (ramp % 400).astype(np.int16),
        "constant": np.full(shape, 7.5),
        "tiny": ramp * 1e-9,
        "large": ramp * 1e6 - 3e9,
    }[kind]
    mask = (np.indices(shape).sum(axis=0) % 3 > 0).astype(np.uint8)
    path = tmp_path / "odd_report.html"
    write(path, affine=np.asarray(affine, float), image=image, mask=mask, unit=unit)
    open_page(tab, path)
    tab.evaluate("viewer.setCrosshair(false)")
    assert look(tab, "#slices").max() > 60
    assert tab.list_complaints() == []
    for field in ("width", "level"):
        assert np.isfinite(float(tab.evaluate(f"document.getElementById('{field}').value")))


def test_sixty_structures_are_shown_and_switched(tab, tmp_path):
    mask = np.zeros(SHAPE, np.uint8)
    mask.reshape(-1)[: 61 * 600] = np.repeat(np.arange(61, dtype=np.uint8), 600)
    path = tmp_path / "many_report.html"
    write(path, mask=mask, classes=[f"structure {k}" for k in range(60)])
    open_page(tab, path)
    tab.evaluate("document.querySelector('[data-view=axial]').click(); viewer.setCrosshair(false)")
    assert is_coloured(look(tab, "#slices")).mean() > 0.05
    tab.evaluate("document.getElementById('no-labels').click()")
    assert is_coloured(look(tab, "#slices")).mean() < 0.002
    tab.evaluate(
        "window.drawn = 0; const draw = viewer.slices.updateGLVolume.bind(viewer.slices);"
        " viewer.slices.updateGLVolume = () => { window.drawn += 1; draw(); }"
    )
    tab.evaluate("document.getElementById('all-labels').click()")
    assert tab.evaluate("window.drawn") == 1  # not once for each structure
    assert is_coloured(look(tab, "#slices")).mean() > 0.05
    assert tab.list_complaints() == []


def test_lost_graphics_leave_the_picture(tab, page):
    open_page(tab, page[0])
    tab.evaluate("viewer.slices.gl.getExtension('WEBGL_lose_context').loseContext()")
    tab.wait_for("document.documentElement.dataset.ready === 'picture'")
    assert tab.evaluate("document.querySelector('.preview').checkVisibility()")
