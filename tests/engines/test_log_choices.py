"""Tests of medseg.engines.log_choices: all keys of a run are seen where it is watched."""

import pytest
from ignite.engine import Engine
from monai.handlers import MLFlowHandler

from medseg.engines import LogChoices
from medseg.engines.log_choices import format_table

CHOICES = {"learning_rate": 0.001, "classes": {"liver": [1, 2]}, "norm": None}


class Writer:
    """A writer of TensorBoard that remembers."""

    def __init__(self):
        self.texts = []

    def add_text(self, tag, text, step):
        self.texts.append((tag, text, step))


def run(*handlers, epochs=2):
    engine = Engine(lambda engine, batch: {"loss": 0.0})
    for handler in handlers:
        handler.attach(engine)
    engine.run([0], max_epochs=epochs)


def test_tensorboard_gets_a_table_of_all_keys_once():
    writer = Writer()
    run(LogChoices(CHOICES, summary_writer=writer))
    ((tag, text, step),) = writer.texts
    assert (tag, step) == ("keys", 0)
    assert text.splitlines()[2:] == [
        "| learning_rate | `0.001` |",
        "| classes | `{'liver': [1, 2]}` |",
        "| norm | `None` |",
    ]


def test_a_value_cannot_break_the_table():
    assert format_table({"a": "x|y\n`z`"}).splitlines()[2:] == [r"| a | `x\|y\n'z'` |"]


def test_a_run_without_tensorboard_and_mlflow_is_not_disturbed():
    run(LogChoices(CHOICES))


@pytest.fixture
def track(tmp_path, monkeypatch):
    """A handler of MONAI that tracks in a new database, as `--tracking mlflow` attaches it."""
    pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)

    def make(**options):
        return MLFlowHandler(
            tracking_uri=f"sqlite:///{tmp_path}/mlruns.db",
            experiment_name="test",
            run_name="one",
            output_transform=lambda output: None,
            iteration_log=False,
            epoch_log=False,
            **options,
        )

    return make


@pytest.mark.long
def test_mlflow_gets_every_key_and_a_run_that_goes_on_keeps_what_it_has(track):
    many = {f"key_{number}": number for number in range(150)}
    handler = track()
    run(LogChoices({**CHOICES, **many}), handler)
    run_id = handler.cur_run.info.run_id
    again = track()
    run(LogChoices({**CHOICES, "learning_rate": 0.5, "new": "x" * 600}), again)
    assert again.cur_run.info.run_id == run_id
    found = again.client.get_run(run_id).data.params
    assert found["learning_rate"] == "0.001"
    assert found["classes"] == "{'liver': [1, 2]}"
    assert found["key_149"] == "149"
    assert found["new"] == "x" * 500
