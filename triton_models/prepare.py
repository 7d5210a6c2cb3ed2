"""Builds everything that the server needs, once: `python triton_models/prepare.py` (fast when already done).

Each product is built in a temporary folder beside its target and then renamed, so that a killed run leaves no
partial product and concurrent runs end with one product.
"""

# ruff: noqa: PLC0415 -- heavy or optional libraries are imported where they are needed

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import model_files

STALE_SECONDS = 3600
"""Age above which an unfinished folder is considered left over from a killed run."""

Progress = Callable[[str], None]


def prepare(progress: Progress) -> None:
    """Builds the backend folder, the models and the CPU export. Raises `model_files.ModelUnavailableError`."""
    steps = [
        ("the python backend of tritonserver", _backend),
        ("embedding model", _embed_model),
        ("int8 export of the embedding model for the CPU", _embed_export),
        ("language model", _generate_model),
    ]
    if model_files.other_settings():
        steps.append(("embedding models beside it", _other_embed_models))
    if os.environ.get(model_files.RERANK_VARIABLE):
        steps.append(("rerank model", _rerank_model))
    for number, (title, step) in enumerate(steps, start=1):
        step(lambda what, n=number, t=title: progress(f"{n}/{len(steps)} {t}: {what}"))  # type: ignore[misc]


def backend_folder() -> Path:
    """The folder for tritonserver's --backend-directory."""
    return model_files.SHARE / "backends"


def pytriton_folder() -> Path:
    """The folder of tritonserver inside the package nvidia-pytriton. Raises `ModelUnavailableError`."""
    spec = find_spec("pytriton")
    if spec is None or not spec.submodule_search_locations:
        raise model_files.ModelUnavailableError("nvidia-pytriton is not installed in this environment")
    return Path(spec.submodule_search_locations[0]) / "tritonserver"


def _backend(progress: Progress) -> None:
    target = backend_folder()
    if target.is_dir():
        progress("ready")
        return
    server = pytriton_folder()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = server / "python_backend_stubs" / python / "triton_python_backend_stub"
    with _building(target) as folder:
        # The stub must match this Python version, and pip drops its executable bit.
        shutil.copytree(server / "backends" / "python", folder / "python")
        (folder / "python" / stub.name).write_bytes(stub.read_bytes())
        (folder / "python" / stub.name).chmod(0o755)
    progress("assembled")


def _embed_model(progress: Progress, setting: str | None = None) -> None:
    folder = model_files.default_embed_folder()
    bundled = setting == model_files.DEFAULT_EMBED or (
        setting is None and not os.environ.get(model_files.EMBED_VARIABLE)
    )
    if bundled and not folder.is_dir():
        import convert_e5

        progress(f"converting {model_files.DEFAULT_EMBED} …")
        with _building(folder) as unfinished:
            convert_e5.convert(unfinished)
    model = model_files.embed_model(setting)
    if model.is_bundled and model_files.torch_installed() and not any(folder.glob("*.safetensors")):
        import convert_e5

        progress("writing the weights for PyTorch …")
        convert_e5.write_weights(folder)
    progress(f"{model.name} ready, fingerprint {model.fingerprint}")


def _embed_export(progress: Progress, setting: str | None = None) -> None:
    if model_files.cuda_usable():
        progress("not needed, a GPU serves")
        return
    model = model_files.embed_model(setting)
    if model.onnx.is_file():
        progress("ready")
        return
    import export_onnx

    progress(f"exporting {model.name} …")
    with _building(model.onnx.parent) as unfinished:
        export_onnx.export(model, unfinished)
    progress("exported")


def _other_embed_models(progress: Progress) -> None:
    for setting in model_files.other_settings():
        _embed_model(progress, setting)
        _embed_export(progress, setting)
    model_files.embed_models()  # no two of one name


def _generate_model(progress: Progress) -> None:
    if model_files.generates_elsewhere():
        from endpoint_settings import address_of

        progress(address_of(os.environ).written_by)
        return
    progress(f"{model_files.generate_model().name} ready")


def _rerank_model(progress: Progress) -> None:
    folder = model_files.rerank_model()
    model_files.require_torch(folder.name)
    progress(f"{folder.name} ready")


@contextmanager
def _building(target: Path) -> Iterator[Path]:
    """Yields an empty folder that becomes `target` when the block succeeds."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for old in target.parent.glob(".building-*"):
        if time.time() - old.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
    try:
        yield folder
        for path in folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        folder.chmod(0o755)
        try:
            folder.rename(target)
        except OSError:
            if not target.is_dir():  # otherwise a concurrent run finished first, with the same content
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Prepares with progress on stdout; returns 1, with one line on stderr, when a model is unavailable."""
    started = time.monotonic()
    try:
        prepare(lambda line: print(line, flush=True))
    except model_files.ModelUnavailableError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    print(f"prepared in {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
