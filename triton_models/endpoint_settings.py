"""What the environment says of an OpenAI-compatible endpoint: `HOLDFAST_GENERATE_MODEL=https://host/v1#model`."""

import ipaddress
import json
import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from model_files import GENERATE_VARIABLE, ModelUnavailableError

KEY_VARIABLE = "HOLDFAST_GENERATE_API_KEY"
KEY_FILE_VARIABLE = "HOLDFAST_GENERATE_API_KEY_FILE"
CA_VARIABLE = "HOLDFAST_GENERATE_CA_FILE"
EXTRA_VARIABLE = "HOLDFAST_GENERATE_EXTRA"
TIMEOUT_VARIABLE = "HOLDFAST_GENERATE_TIMEOUT_SECONDS"

TIMEOUT_SECONDS = 120

_ADDRESS = re.compile(r"(?P<url>https?://[^\s#?@]+)#(?P<model>\S+)")
_OURS = ("model", "messages", "stream")
_INSIDE = (".local", ".localhost", ".internal", ".lan", ".home.arpa", ".svc")
"""Names that no public DNS has."""


@dataclass(frozen=True)
class Address:
    """An endpoint and how it is asked."""

    url: str
    model: str
    host: str
    key_file: str
    ca_file: str
    timeout_seconds: int
    extra: dict[str, Any]
    """Fields that every request has besides; null leaves one out that it would have."""

    @property
    def written_by(self) -> str:
        """How records name the model."""
        return f"{self.model} @ {self.host}"

    def key(self) -> str:
        """The API key, empty for none; that of the file as it is now."""
        if not self.key_file:
            return os.environ.get(KEY_VARIABLE, "")
        try:
            return Path(self.key_file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise ModelUnavailableError(f"{KEY_FILE_VARIABLE}={self.key_file}: {type(exc).__name__}") from exc

    def tls(self) -> ssl.SSLContext:
        """Verifies certificates: by those of the file, or by those that the system trusts."""
        try:
            return ssl.create_default_context(cafile=str(Path(self.ca_file).expanduser()) if self.ca_file else None)
        except (OSError, ssl.SSLError) as exc:
            raise ModelUnavailableError(f"{CA_VARIABLE}={self.ca_file}: no certificates can be read of it") from exc


def address_of(environ: "os._Environ[str] | dict[str, str]") -> Address:
    """The endpoint that the environment names. Raises `ModelUnavailableError`."""
    setting = environ.get(GENERATE_VARIABLE, "")
    match = _ADDRESS.fullmatch(setting)
    if match is None:
        raise ModelUnavailableError(f"{GENERATE_VARIABLE}={setting!r} is not like https://host/v1#model")
    url = urlsplit(match["url"])
    if not url.hostname:
        raise ModelUnavailableError(f"{GENERATE_VARIABLE}={setting!r} names no host")
    if url.scheme == "http" and not _is_inside(url.hostname):
        raise ModelUnavailableError(f"{GENERATE_VARIABLE}: documents and the key go to {url.hostname} by https only")
    found = Address(
        url=match["url"].rstrip("/"),
        model=match["model"],
        host=url.netloc,
        key_file=environ.get(KEY_FILE_VARIABLE, ""),
        ca_file=environ.get(CA_VARIABLE, ""),
        timeout_seconds=int(environ.get(TIMEOUT_VARIABLE) or TIMEOUT_SECONDS),
        extra=_extra(environ.get(EXTRA_VARIABLE, "")),
    )
    found.tls()
    found.key()
    return found


def _extra(text: str) -> dict[str, Any]:
    try:
        extra = json.loads(text or "{}")
    except ValueError as exc:
        raise ModelUnavailableError(f"{EXTRA_VARIABLE} is not JSON: {exc}") from exc
    if not isinstance(extra, dict) or any(name in extra for name in _OURS):
        raise ModelUnavailableError(f"{EXTRA_VARIABLE} must be a JSON object without {', '.join(_OURS)}")
    return extra


def _is_inside(host: str) -> bool:
    """Whether a host is on this machine or in a network of one's own: only there is http accepted."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_INSIDE)
    return address.is_private or address.is_loopback
