"""The Triton model `embed_loader`: loads and unloads embedding models (see ../config.pbtxt for the tensors)."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import model_files

LOADED = Path(__file__).resolve().parents[1] / "loaded.py"

CODE = f'import runpy\n\nTritonPythonModel = runpy.run_path({str(LOADED)!r})["TritonPythonModel"]\n'
"""The file that Triton is given for each model: Triton puts it into a folder of its own."""


def config(model: model_files.EmbedModel) -> str:
    """The configuration of `embed` for this model, as JSON."""
    string = {"data_type": "TYPE_STRING", "dims": [1]}
    return json.dumps(
        {
            "name": model.served_as,
            "backend": "python",
            "max_batch_size": 64,
            "input": [{"name": "text", **string}],
            "output": [
                {"name": "embedding", "data_type": "TYPE_FP32", "dims": [-1]},
                {"name": "card", **string},
                {"name": "tokenizer", **string},
            ],
            "instance_group": [{"kind": "KIND_AUTO", "count": 1}],
            "parameters": {"model": {"string_value": model.setting}},
        }
    )


class TritonPythonModel:
    """Takes one request after the other, so that no model is loaded twice."""

    def initialize(self, args: dict[str, str]) -> None:
        """Reads which models the settings name."""
        self._models = {model.fingerprint: model for model in model_files.embed_models()[1:]}

    def execute(self, requests: list[Any]) -> list[Any]:
        """Returns one response per request; a model that cannot be loaded is that request's error."""
        return [self._response(request) for request in requests]

    def _response(self, request: Any) -> Any:
        [action], fingerprints = (_strings(request, name) for name in ("action", "fingerprints"))
        try:
            if action == "load":
                for fingerprint in fingerprints:
                    self._load(self._models[fingerprint])
            elif action == "keep":
                self._keep(fingerprints)
            else:
                return _failure(f"there is no action {action!r}", pb_utils.TritonError.INVALID_ARG)
        except KeyError as exc:
            return _failure(f"no such model: {exc}", pb_utils.TritonError.INVALID_ARG)
        except (pb_utils.TritonModelException, _UnusableError) as exc:
            return _failure(str(exc), pb_utils.TritonError.INTERNAL)
        loaded = [fingerprint for fingerprint, model in self._models.items() if _is_loaded(model)]
        tensor = pb_utils.Tensor("loaded", np.array([each.encode() for each in loaded], dtype=np.object_))
        return pb_utils.InferenceResponse(output_tensors=[tensor])

    def _load(self, model: model_files.EmbedModel) -> None:
        if not _is_loaded(model):
            files = {"file:1/model.py": CODE.encode()}
            pb_utils.load_model(model_name=model.served_as, files=files, config=config(model))
            try:
                _ask_for_card(model)
            except _UnusableError:
                pb_utils.unload_model(model.served_as)
                raise

    def _keep(self, fingerprints: list[str]) -> None:
        for model in self._models.values():
            if model.fingerprint not in fingerprints and _is_loaded(model):
                pb_utils.unload_model(model.served_as)


class _UnusableError(Exception):
    """A model that Triton has loaded cannot be used, for the reason that it gave."""


def _ask_for_card(model: model_files.EmbedModel) -> None:
    text = pb_utils.Tensor("text", np.array([[b""]], dtype=np.object_))
    request = pb_utils.InferenceRequest(model_name=model.served_as, requested_output_names=["card"], inputs=[text])
    response = request.exec()
    if response.has_error():
        raise _UnusableError(response.error().message())


def _is_loaded(model: model_files.EmbedModel) -> bool:
    return bool(pb_utils.is_model_ready(model.served_as))


def _strings(request: Any, name: str) -> list[str]:
    values = pb_utils.get_input_tensor_by_name(request, name).as_numpy().reshape(-1)
    return [value.decode(errors="replace") for value in values]


def _failure(message: str, code: int) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
