"""``<data>/local.env``: where `holdfast up` leaves the address and the first key for the command line."""

from __future__ import annotations

from pathlib import Path

from api.client import private_files

NAME = "local.env"


def read(data: Path) -> dict[str, str]:
    """The file's variables; empty if there is no such file or it may not be read."""
    try:
        lines = (data / NAME).read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {key.strip(): value.strip() for key, value in pairs}


def write(data: Path, url: str, key: str | None) -> None:
    """Put address and key there; None keeps the key that is there. Nobody else may ever read the file."""
    known = read(data)
    key = key or known.get("HOLDFAST_API_KEY")
    if not key:
        return
    private_files.write(data / NAME, f"HOLDFAST_URL={url}\nHOLDFAST_API_KEY={key}\n")
