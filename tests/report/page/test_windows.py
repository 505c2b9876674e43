"""Tests of medseg.report.page.windows: an image is offered the windows of its kind."""

from medseg.report.page.shown_volume import SHARES
from medseg.report.page.windows import Window, list_windows

RANKED = dict(zip(SHARES, (0.0, 10.0, 20.0, 80.0, 90.0, 100.0), strict=True))


def test_a_ct_has_the_windows_of_radiology_in_hu():
    found = {window.name: (window.low, window.high) for window in list_windows("HU", {})}
    assert found["Soft tissue"] == (-160, 240)
    assert found["Lung"] == (-1350, 150)
    assert found["Bone"] == (-500, 1300)


def test_other_images_have_percentiles_of_their_values():
    first, *_ = list_windows("", RANKED)
    assert first == Window("1 to 99 %", 10, 90)


def test_the_window_of_the_preview_comes_first_and_no_window_comes_twice():
    first, *others = list_windows("HU", {}, preview=(-500, 1300))
    assert first == Window("Bone", -500, 1300)
    assert first not in others
    assert list_windows("HU", {}, preview=(0, 1))[0] == Window("As in the preview", 0, 1)
