"""Tests of medseg.engines.progress.progress: the lines of a run, and when they come."""

import logging
import re
from contextlib import redirect_stderr

import pytest
from engines.progress.terminal import Terminal
from engines.tiny_run import TinyRun
from ignite.engine import Events

from medseg.engines import Progress
from medseg.engines.progress import keep_log, progress
from medseg.engines.progress.console import FORMAT
from medseg.engines.progress.run_log import RUN_LOG


def watch(run, folder, **options):
    """A run with the handler attached first, as the bundles have it."""
    shown = Progress(
        folder,
        evaluator=run.evaluator,
        best_weights=run.best,
        optimizer=run.optimizer,
        name="tiny",
        classes=["upper"],
        **options,
    )
    shown.attach(run.trainer)
    started = run.trainer._event_handlers[Events.STARTED]
    started.insert(0, started.pop())
    return run


@pytest.fixture
def lines(caplog):
    """What the handler has said."""
    caplog.set_level(logging.INFO, logger=progress.logger.name)
    return lambda: [r.getMessage() for r in caplog.records if r.name == progress.logger.name]


def test_a_run_says_what_it_is_a_line_for_each_epoch_and_how_it_ended(tmp_path, lines):
    record = {"training": {"a": "", "b": ""}, "validation": {"c": ""}, "images": {}}
    run = watch(TinyRun(tmp_path, max_epochs=2), tmp_path, record=record, test_cases=3)
    run.run()
    first, one, two, last = lines()
    assert first.startswith("bundle: tiny; device: ")
    # 1*4*9 + 4 of the first layer, 4 + 4 of the norm, 4 + 1 of the last
    assert "; network: 53 parameters; cases: 2 training, 1 validation, 3 test; batches: 3" in first
    assert " in an epoch; folder: " in first
    assert one.startswith("epoch 1/2: loss ")
    assert two.startswith("epoch 2/2: loss ")
    assert re.search(r"val_dice (\d\.\d{4}) \(upper \1\), learning rate 0.01, ", one)
    assert last.startswith("done after ")
    assert f"val_dice {run.best.score:.4f} in epoch {run.best.epoch} of 2" in last


def test_of_a_training_on_all_cases_no_epoch_is_said_to_be_the_best(tmp_path, lines):
    run = watch(TinyRun(tmp_path, max_epochs=2), tmp_path)
    run.best.takes_last = True
    run.run()
    assert not any("best" in line for line in lines())
    score = f"val_dice {run.best.score:.4f}"
    assert f"the last weights are kept; {score} is of cases that were trained on" in lines()[-1]


def test_the_first_epoch_says_once_how_long_an_epoch_takes(tmp_path, lines, monkeypatch):
    """The steps end at 0, 6 and 9 s of a clock that only they move on; 3 steps of 6 s are 18 s."""
    now = iter([0.0, 6.0, 9.0])
    run = watch(TinyRun(tmp_path, max_epochs=2), tmp_path)
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    run.trainer.add_event_handler(
        Events.ITERATION_STARTED(event_filter=lambda _, number: number <= 3),
        lambda _: clock.__setitem__(0, next(now)),
    )
    run.run()
    told = [line for line in lines() if "steps are done" in line]
    assert told == [
        "2 of 3 steps are done: those of an epoch take about 18 s, without a validation"
    ]


def test_steps_that_are_soon_done_need_no_word_of_their_time(tmp_path, lines):
    watch(TinyRun(tmp_path, max_epochs=1), tmp_path).run()
    assert not any("steps are done" in line for line in lines())


def test_the_loss_is_the_mean_over_the_steps_of_the_epoch(tmp_path, lines):
    run = watch(TinyRun(tmp_path, max_epochs=1), tmp_path)
    losses = []
    run.trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda e: losses.append(float(e.state.output[0]["loss"]))
    )
    run.run()
    assert len(losses) == 3
    assert f"loss {sum(losses) / 3:.4f}," in lines()[1]


def test_the_line_of_an_epoch_comes_after_its_validation_and_before_it_is_saved(tmp_path, lines):
    run = TinyRun(tmp_path, max_epochs=1)
    watch(run, tmp_path)
    seen = []
    save = run.resume.save
    run.resume.save = lambda engine: seen.append(len(lines())) or save(engine)
    run.run()
    assert seen == [2]
    assert "the best so far" in lines()[1]


def test_while_the_score_is_0_there_is_no_best(tmp_path, lines):
    run = watch(TinyRun(tmp_path, max_epochs=2), tmp_path)
    scores = iter([0.0, 0.5])

    def score(evaluator):
        evaluator.state.metrics["val_dice"] = next(scores)

    completed = run.evaluator._event_handlers[Events.COMPLETED]
    run.evaluator.add_event_handler(Events.COMPLETED, score)
    place = next(n for n, entry in enumerate(completed) if entry[0] == run.best)
    completed.insert(place, completed.pop())  # before the score is judged
    run.run()
    assert "best" not in lines()[1]
    assert lines()[2].endswith("the best so far")


def test_the_learning_rate_is_that_of_the_last_step(tmp_path, lines):
    run = watch(TinyRun(tmp_path, max_epochs=1), tmp_path)
    run.trainer.add_event_handler(
        Events.ITERATION_STARTED,
        lambda e: run.optimizer.param_groups[0].update(lr=0.5**e.state.iteration),
    )
    run.run()
    assert "learning rate 0.125," in lines()[1]  # 0.5 ** 3, of three steps


def test_an_epoch_without_validation_has_a_line_without_scores(tmp_path, lines):
    run = watch(TinyRun(tmp_path, max_epochs=2), tmp_path)
    run.trainer.add_event_handler(Events.EPOCH_STARTED(once=2), lambda _: mute(run.trainer))
    run.run()
    assert "val_dice" in lines()[1]
    assert "val_dice" not in lines()[2].partition(", best")[0]


def test_the_first_line_says_when_a_run_is_validated_if_not_after_each_epoch(tmp_path, lines):
    watch(TinyRun(tmp_path / "a", max_epochs=1), tmp_path / "a").run()
    watch(TinyRun(tmp_path / "b", max_epochs=1), tmp_path / "b", val_interval=4).run()
    often, seldom = [line for line in lines() if line.startswith("bundle: ")]
    assert "; validation: every 4 epochs, and after the last one; folder: " in seldom
    assert "validation: " not in often


def mute(trainer):
    """Take the validation away."""
    kept = [
        entry
        for entry in trainer._event_handlers[Events.EPOCH_COMPLETED]
        if "ValidationHandler" not in repr(entry[0])
    ]
    trainer._event_handlers[Events.EPOCH_COMPLETED] = kept


def test_the_next_command_is_named_where_the_folder_is_a_bundle(tmp_path, lines):
    folder = tmp_path / "a run"
    (folder / "configs").mkdir(parents=True)
    (folder / "configs/inference.json").write_text("{}")
    watch(TinyRun(folder, max_epochs=1), folder).run()
    assert lines()[-1].endswith(f"medseg segment INPUT -b '{folder}' -o masks")


def test_without_a_terminal_no_bar_and_no_carriage_return_is_written(tmp_path, capfd):
    watch(TinyRun(tmp_path, max_epochs=2), tmp_path).run()
    out, err = capfd.readouterr()
    assert out == ""
    assert "\r" not in err
    assert "\x1b" not in err


def test_on_a_terminal_each_line_is_shown_once_and_none_has_a_time(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    with redirect_stderr(Terminal()) as terminal:
        logging.root.addHandler(logging.StreamHandler())
        logging.root.handlers[-1].setFormatter(logging.Formatter(FORMAT))
        logging.root.setLevel(logging.INFO)
        keep_log()
        run = watch(TinyRun(tmp_path, max_epochs=2), tmp_path)
        run.trainer.add_event_handler(
            Events.EPOCH_STARTED(once=2), lambda: logging.getLogger("other").info("of another")
        )
        run.run()
        logging.captureWarnings(False)
    shown = terminal.getvalue()
    assert "of another" in shown
    assert "INFO" not in shown
    assert " INFO other: of another" in (tmp_path / RUN_LOG).read_text()
    assert shown.count("epoch 1/2: loss") == 1
    assert shown.count("epoch 2/2: loss") == 1
    assert "training" in shown


def test_the_run_log_has_all_lines_whether_they_were_shown_or_not(tmp_path, monkeypatch, lines):
    monkeypatch.setattr(progress, "is_on_terminal", lambda: True)
    logging.root.setLevel(logging.INFO)
    watch(TinyRun(tmp_path, max_epochs=2), tmp_path).run()
    written = (tmp_path / RUN_LOG).read_text()
    assert all(line in written for line in lines())


def test_an_error_gives_the_terminal_back_and_passes(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "is_on_terminal", lambda: True)
    closed = []
    monkeypatch.setattr(progress.LiveDisplay, "close", lambda self: closed.append(self))
    run = watch(TinyRun(tmp_path, max_epochs=2), tmp_path)

    def diverge(engine):
        raise ValueError("diverged")

    run.trainer.add_event_handler(Events.EPOCH_STARTED(once=2), diverge)
    with pytest.raises(ValueError, match="diverged"):
        run.run()
    assert len(closed) == 1


def test_a_resumed_run_goes_on_with_the_number_of_the_epoch(tmp_path, lines):
    watch(TinyRun(tmp_path, max_epochs=1), tmp_path).run()
    watch(TinyRun(tmp_path, max_epochs=2, resume=True), tmp_path).run()
    numbered = [line.split(":")[0] for line in lines() if line.startswith("epoch")]
    assert numbered == ["epoch 1/1", "epoch 2/2"]


def test_it_does_not_change_what_is_learnt(tmp_path):
    plain = TinyRun(tmp_path / "plain", max_epochs=2)
    start = {name: value.clone() for name, value in plain.network.state_dict().items()}
    watched = TinyRun(tmp_path / "watched", max_epochs=2)
    watched.network.load_state_dict(start)
    watch(watched, tmp_path / "watched").run()
    plain.run()
    for one, other in zip(
        plain.network.state_dict().values(), watched.network.state_dict().values(), strict=True
    ):
        assert one.equal(other)


def test_the_table_and_the_picture_of_a_resumed_run_have_all_its_epochs(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        progress, "draw_progress", lambda history, path, **_: drawn.append(sorted(history.rows))
    )
    watch(TinyRun(tmp_path, max_epochs=2), tmp_path).run()
    first = (tmp_path / "epochs.csv").read_text().splitlines()
    watch(TinyRun(tmp_path, max_epochs=3, resume=True), tmp_path).run()
    whole = (tmp_path / "epochs.csv").read_text().splitlines()
    assert whole[:3] == first
    assert whole[3].startswith("3,")
    assert drawn == [[1], [1, 2], [1, 2, 3]]


def test_a_run_that_is_complete_and_resumed_keeps_its_table(tmp_path):
    watch(TinyRun(tmp_path, max_epochs=2), tmp_path).run()
    before = (tmp_path / "epochs.csv").read_bytes()
    watch(TinyRun(tmp_path, max_epochs=2, resume=True), tmp_path).run()
    assert (tmp_path / "epochs.csv").read_bytes() == before
