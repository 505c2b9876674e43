"""Tests of medseg.evaluation.overlays: which cases are drawn, when, and where the pictures are."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from monai.data import MetaTensor
from PIL import Image

from medseg.evaluation import Overlays
from medseg.evaluation import overlays as module
from medseg.inference.preview.page import list_texts
from medseg.labels import COLOURS


class Writer:
    """A writer of TensorBoard that remembers."""

    def __init__(self):
        self.images = []

    def add_image(self, tag, array, step, dataformats):
        self.images.append((tag, array.shape[2], step, dataformats))

    def flush(self):
        pass


def make_case(name, *, shift=0, shape=(30, 20), empty=False, **more):
    """A case with its masks of background and one class, as a validation leaves them."""
    label = torch.zeros(2, *shape)
    if not empty:
        label[1, 5:15, 5:15] = 1
    label[0] = 1 - label[1]
    pred = torch.roll(label, shift, dims=1)
    return {"case": name, "image": label[1:] + 0.1, **more}, {"label": label, "pred": pred}


class Training:
    """A trainer and its validation, with scores that are given."""

    def __init__(self, folder, cases, scores, **options):
        self.cases, self.scores = cases, list(scores)
        self.best = SimpleNamespace(epoch=0, score=-1.0)
        self.evaluator = Engine(self._validate)
        self.evaluator.state.key_metric_name = "val_dice"
        self.evaluator.add_event_handler(Events.COMPLETED, self._judge)
        self.trainer = Engine(lambda engine, batch: None)
        self.trainer.add_event_handler(
            Events.EPOCH_COMPLETED, lambda: self.evaluator.run(range(len(cases)))
        )
        self.overlays = Overlays(
            folder,
            evaluator=self.evaluator,
            best_weights=self.best,
            classes=["liver"],
            title="tiny",
            **options,
        )
        self.overlays.attach(self.trainer)

    def _validate(self, engine, number):
        item, output = self.cases[number]
        engine.state.batch = [item]
        return [output]

    def _judge(self, engine):
        epoch = self.trainer.state.epoch
        score = self.scores[epoch - 1]
        engine.state.metrics = {"val_dice": score}
        if score > self.best.score:
            self.best.epoch, self.best.score = epoch, score

    def run(self):
        self.trainer.run([0], max_epochs=len(self.scores))
        return self


@pytest.fixture
def pages(monkeypatch):
    """The lines of text of each page that is drawn."""
    seen = []
    draw_page = module.draw_page

    def note(block):
        seen.append(list_texts(block))
        return draw_page(block)

    monkeypatch.setattr(module, "draw_page", note)
    return seen


def drawn(folder):
    return [int(path.stem.split("_")[1]) for path in sorted((folder / "overlays").glob("*.png"))]


def test_it_draws_at_powers_of_two_at_a_new_best_and_at_the_end(tmp_path):
    scores = [0.5, 0.4, 0.3, 0.3, 0.3, 0.6, 0.3, 0.3, 0.3, 0.2]
    Training(tmp_path, [make_case("a")], scores).run()
    assert drawn(tmp_path) == [1, 2, 4, 6, 8, 10]
    picture = Image.open(tmp_path / "overlays" / "epoch_0001.png")
    assert picture.format == "PNG"


def test_the_cases_are_spread_hold_truth_and_stay_the_same(tmp_path, pages):
    cases = [make_case(f"c{number}", empty=number in (0, 4)) for number in range(9)]
    Training(tmp_path, cases, [0.1, 0.2], count=3).run()
    names = [[text for text in page if text.startswith("c")] for page in pages]
    assert names == [["c1", "c3", "c6"]] * 2


def test_fewer_cases_than_asked_for_are_all_drawn(tmp_path, pages):
    Training(tmp_path, [make_case("a"), make_case("b")], [0.1], count=5).run()
    assert {"a", "b"} <= set(pages[0])


def test_the_title_has_epoch_and_score_and_each_case_its_dice(tmp_path, pages):
    Training(tmp_path, [make_case("a", shift=5)], [0.5, 0.4]).run()
    assert pages[0][0] == "tiny, epoch 1: val_dice 0.5000, the best so far"
    assert pages[1][0] == "tiny, epoch 2: val_dice 0.4000"
    assert "prediction; Dice: liver 0.50" in pages[0]  # 10 rows, shifted by 5
    assert "liver" in pages[0]


@pytest.fixture
def views(monkeypatch):
    """The truth of each view that is prepared."""
    seen = []
    make_view = module.make_view

    def note(image, true, *arguments, **options):
        seen.append(true)
        return make_view(image, true, *arguments, **options)

    monkeypatch.setattr(module, "make_view", note)
    return seen


def test_the_view_of_a_case_is_prepared_once(tmp_path, views, pages):
    cases = [make_case("a"), make_case("b", slice=3)]
    Training(tmp_path, cases, [0.1, 0.2, 0.3], count=2).run()
    assert len(views) == 2
    assert len(pages) == 3


def test_each_epoch_shows_its_own_prediction_in_the_same_view(tmp_path, monkeypatch):
    shots = []
    draw = module._draw_shot
    monkeypatch.setattr(module, "_draw_shot", lambda s, *more: shots.append(s) or draw(s, *more))
    training = Training(tmp_path, [make_case("v", slice=11)], [0.1, 0.2])
    training.run()
    training.cases[0] = make_case("v", shift=5, slice=11)
    training.run()
    same, shifted = shots[0].view, shots[-1].view
    assert np.array_equal(same.pred, same.true)
    assert np.array_equal(shifted.true, same.true)
    assert np.array_equal(shifted.pred, np.roll(same.true, -5, axis=1))  # upright: to the left
    assert shots[-1].dice == [0.5]


@pytest.mark.parametrize("shape", [(30, 20), (10, 10)])
def test_a_case_whose_truth_changed_is_prepared_anew(tmp_path, views, shape):
    training = Training(tmp_path, [make_case("a")], [0.1])
    training.run()
    item, output = make_case("a", shape=shape)
    moved = {key: torch.roll(value, 3, dims=2) for key, value in output.items()}
    training.cases[0] = (item, moved)
    training.run()
    assert len(views) == 2
    assert np.array_equal(views[1], moved["label"][1].numpy())


def test_a_score_of_0_is_no_best(tmp_path, pages):
    Training(tmp_path, [make_case("a")], [0.0]).run()
    assert pages[0][0] == "tiny, epoch 1: val_dice 0.0000"


def test_truth_is_above_the_prediction_in_the_colours_of_the_previews(tmp_path):
    Training(tmp_path, [make_case("a", shift=5)], [0.5]).run()
    drawn = np.asarray(Image.open(tmp_path / "overlays" / "epoch_0001.png"))
    rows = np.flatnonzero((drawn == COLOURS[0]).all(axis=-1).sum(axis=1) > 20)
    assert np.ptp(rows) > 290  # outlines in both pictures, one below the other


def test_tensorboard_gets_the_pictures(tmp_path):
    writer = Writer()
    Training(tmp_path, [make_case("a")], [0.1, 0.2], summary_writer=writer).run()
    assert writer.images == [("overlays", 3, 1, "HWC"), ("overlays", 3, 2, "HWC")]


def test_volumes_are_shown_in_the_plane_where_their_truth_is_largest(tmp_path, pages):
    affine = torch.eye(4)
    label = torch.zeros(2, 30, 20, 9)
    label[1, 5:15, 5:15, 3] = 1
    pred = label.clone()
    pred[1, :, :, 7] = 1  # wrong, and elsewhere
    image = MetaTensor(label[1:].clone(), affine=affine)
    case = ({"case": "v", "image": image}, {"label": label, "pred": pred})
    Training(tmp_path, [case], [0.1]).run()
    assert {"axial, slice 4 of 9 · truth", "R", "L"} <= set(pages[0])


def test_a_slice_of_a_volume_is_shown_upright(tmp_path, pages):
    Training(tmp_path, [make_case("v", slice=11)], [0.1]).run()
    assert {"axial, slice 12 from the feet up · truth", "R", "L"} <= set(pages[0])
    plane = torch.arange(6.0).reshape(1, 2, 3)  # to the right 0 to 1, to the front 0 to 2
    assert module._turn_upright(plane)[0].tolist() == [[5, 2], [4, 1], [3, 0]]


def test_a_slice_has_its_scale_bar_in_millimetres_where_its_spacing_is_known(tmp_path, pages):
    case = make_case("v", slice=11)
    Training(tmp_path, [case], [0.1]).run()
    affine = torch.diag(torch.tensor([2.0, 4.0, 5.0, 1.0]))  # 30 x 20 pixels of 2 mm x 4 mm
    case[0]["image"] = MetaTensor(case[0]["image"], affine=affine)
    Training(tmp_path, [case], [0.1]).run()
    assert [page[-3] for page in pages] == ["10 pixels", "20 mm"]
    view = module._place_view(case[0], case[1]["label"])
    assert view.shades.shape == (20, 30)
    assert view.size == (60, 80)


def test_inner_regions_lie_on_top(tmp_path):
    masks = torch.tensor([[[1, 0, 0]], [[0, 1, 1]], [[0, 0, 1]]])
    assert module._number_classes(masks).tolist() == [[0, 1, 2]]


def test_without_truth_or_without_cases_nothing_is_drawn(tmp_path):
    Training(tmp_path, [make_case("a", empty=True)], [0.1]).run()
    Training(tmp_path, [make_case("a")], [0.1], count=0).run()
    assert not (tmp_path / "overlays").exists()
    with pytest.raises(
        ValueError, match="overlay_cases must be 0 or more validation cases, got -1"
    ):
        Training(tmp_path, [], [], count=-1)


def test_of_many_classes_the_mean_dice_is_said():
    nan = float("nan")
    assert module._describe_dice({"a": 0.5, "b": nan}) == "Dice: a 0.50"
    assert module._describe_dice({"a": nan}) == "Dice: none"
    many = {f"c{number}": number / 10 for number in range(6)}
    assert module._describe_dice({**many, "x": nan}) == "mean Dice 0.25 of 6 classes"
