"""LogChoices: the keys of a training, as text in TensorBoard and as parameters in MLflow."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ignite.engine import Engine, Events

from medseg.base.text import escape_unprintable

if TYPE_CHECKING:
    from monai.handlers import MLFlowHandler

_LONGEST = 500
"""Letters of a value in MLflow, at most; older servers take no more."""
_AT_ONCE = 100
"""Parameters that MLflow takes in one call."""


class LogChoices:
    """Trainer handler that logs every key of a training with its value, before the first epoch.

    TensorBoard shows them under Text, as a table named `keys`. Where MLflow tracks the run, they
    are its parameters; those that it already has, of a resumed run, stay as they are.

    Args:
        choices: key of the config -> value.
        summary_writer: of TensorBoard; None for no text.

    Example:
        >>> LogChoices({"learning_rate": 0.001}).attach(trainer)  # doctest: +SKIP
    """

    def __init__(self, choices: Mapping[str, Any], *, summary_writer: Any = None) -> None:
        self.choices = dict(choices)
        self.writer = summary_writer
        self._is_done = False

    def attach(self, engine: Engine) -> None:
        """Log as the first epoch starts, when MLflow has begun its run."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Log all keys, once."""
        if self._is_done:
            return
        self._is_done = True
        if self.writer is not None:
            self.writer.add_text("keys", format_table(self.choices), engine.state.epoch - 1)
        for handler in _find_mlflow_handlers(engine):
            _log_parameters(handler, self.choices)


def format_table(choices: Mapping[str, Any]) -> str:
    """Keys and values as a table in Markdown.

    Example:
        >>> print(format_table({"norm": "batch|x"}))
        | key | value |
        |---|---|
        | norm | `batch\\|x` |
    """
    rows = (f"| {key} | `{_format(value)}` |" for key, value in choices.items())
    return "\n".join(["| key | value |", "|---|---|", *rows])


def _format(value: Any) -> str:
    return escape_unprintable(value).replace("|", r"\|").replace("`", "'")


def _find_mlflow_handlers(engine: Engine) -> Iterator["MLFlowHandler"]:
    """MONAI's handlers of MLflow that are attached to an engine.

    MONAI adds them to a config by itself, so that a config cannot refer to them.
    """
    from monai.handlers import MLFlowHandler

    for handler, *_ in engine._event_handlers[Events.STARTED]:
        owner = getattr(handler, "__self__", None)
        if isinstance(owner, MLFlowHandler) and owner.cur_run is not None:
            yield owner


def _log_parameters(handler: "MLFlowHandler", choices: Mapping[str, Any]) -> None:
    from mlflow.entities import Param

    run_id = handler.cur_run.info.run_id
    known = handler.client.get_run(run_id).data.params
    new = [Param(k, str(v)[:_LONGEST]) for k, v in choices.items() if k not in known]
    for begin in range(0, len(new), _AT_ONCE):
        handler.client.log_batch(run_id, params=new[begin : begin + _AT_ONCE])
