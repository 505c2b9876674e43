"""Telemetry: what the packages below would report about their use, turned off.

`import medseg` does it, before anything here can import one of them. What a package has loaded
already, because a script or MONAI imported it first, is turned off there.
"""

import os
import sys
from contextlib import suppress

_SETTINGS = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",
}
"""The packages' own switches; processes that are started from here inherit them."""


def turn_off() -> None:
    """Keep OpenVINO, ONNX Runtime, MLflow and the Hugging Face hub from reporting, here and below.

    OpenVINO has no switch but a file in the home folder. It takes a class that does nothing where
    `openvino_telemetry` cannot be imported; so it cannot from here on.

    Example:
        >>> turn_off()
    """
    os.environ.update(_SETTINGS)
    _turn_off_openvino()
    if onnxruntime := sys.modules.get("onnxruntime"):
        onnxruntime.disable_telemetry_events()
    if client := sys.modules.get("mlflow.telemetry.client"):
        client.set_telemetry_client()  # it asks the environment again
    if constants := sys.modules.get("huggingface_hub.constants"):
        constants.HF_HUB_DISABLE_TELEMETRY = True  # type: ignore[attr-defined]


def _turn_off_openvino() -> None:
    """Make `openvino_telemetry` absent or, where it is loaded already, idle."""
    loaded = sys.modules.get("openvino_telemetry")
    if loaded is None:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        return
    with suppress(ImportError):  # loaded by something else, without OpenVINO
        from openvino.tools.ovc.telemetry_stub import Telemetry

        loaded.Telemetry = Telemetry  # type: ignore[attr-defined]
