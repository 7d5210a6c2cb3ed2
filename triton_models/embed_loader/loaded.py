"""The Triton model of an embedding model that `embed_loader` has loaded: `embed`'s code, which cannot fail to load.

Triton 2.51 aborts, about one time in six, when a model that another one loads fails. This one says in its answers why
it cannot be used instead, which `embed_loader` asks for.
"""

import runpy
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]

Embed: Any = runpy.run_path(str(Path(__file__).resolve().parents[1] / "embed" / "1" / "model.py"))["TritonPythonModel"]


class TritonPythonModel:
    """Passes everything on to `embed`'s model, if that could be loaded."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the model, or keeps the reason why it cannot be."""
        self._failure = ""
        self._model = Embed()
        try:
            self._model.initialize(args)
        except Exception as exc:  # noqa: BLE001 -- the edge of Triton: whatever it is, it goes to who asked for the model
            self._failure = f"{type(exc).__name__}: {exc}"
            pb_utils.Logger.log_error(f"{args['model_name']} cannot be loaded: {self._failure}")

    def execute(self, requests: list[Any]) -> None:
        """Answers the requests, which fail when the model could not be loaded."""
        if not self._failure:
            self._model.execute(requests)
            return
        for request in requests:
            error = pb_utils.TritonError(self._failure, pb_utils.TritonError.UNAVAILABLE)
            response = pb_utils.InferenceResponse(error=error)
            request.get_response_sender().send(response, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def finalize(self) -> None:
        """Stops accepting work."""
        if not self._failure:
            self._model.finalize()
