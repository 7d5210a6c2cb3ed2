"""Locks: exact versions from a registry, each file of which has a hash; PyTorch's has none."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted(path for path in ROOT.glob("**/requirements*.lock") if ".venv" not in str(path.relative_to(ROOT)))
MAKEFILE = (ROOT / "Makefile").read_text()
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()

PINNED = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(\[[\w,-]+\])?==[\w.!+]+( ; [^\\]+)?(?P<hashes>( --hash=sha256:[0-9a-f]{64})*)"
)


def entries(lock: str) -> list[str]:
    """The entries of a lock, each in one line."""
    joined = re.sub(r"\s*\\\n\s*", " ", lock)
    lines = (line.split(" #")[0].strip() for line in joined.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_lock_is_exact(lock: Path) -> None:
    """No address, no range, no option; every package once, with the hashes of its files, or pip takes any file."""
    found = [PINNED.fullmatch(entry) for entry in entries(lock.read_text())]
    assert found
    assert None not in found, [entry for entry in entries(lock.read_text()) if not PINNED.fullmatch(entry)]
    names = [match["name"].lower() for match in found if match]
    assert len(names) == len(set(names))
    assert {bool(match["hashes"]) for match in found if match} == {lock.name != "requirements-torch.lock"}


def test_locks_are_made_with_hashes() -> None:
    """By `make lock`; PyTorch's builds for CPU and GPU share a version and not a hash."""
    assert re.search(r"^HASHES := --generate-hashes$", MAKEFILE, re.M)
    for line in re.findall(r"^\t.*\$\(COMPILE\).*$", MAKEFILE, re.M):
        assert "$(HASHES)" in line or "--constraint requirements.lock \\" in line, line


def test_the_image_leaves_whole_entries_out(tmp_path: Path) -> None:
    """With their hashes, and nothing of the next one."""
    command = re.search(r"RUN (awk '.*?' requirements\.lock) > image\.lock", DOCKERFILE)
    assert command
    hashed = (
        "a==1 \\\n    --hash=sha256:aa\ntemporal-bin==1.9.1 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"
        "    # via x\nb==2\n"
    )
    plain = "a==1\nmilvus-lite==2.5.1\n    # via x\nb==2\n"
    for text in (hashed, plain):
        (tmp_path / "requirements.lock").write_text(text)
        left = subprocess.run(["bash", "-c", command[1]], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert [entry.split("==")[0] for entry in entries(left.stdout)] == ["a", "b"]
        assert "bb" not in left.stdout


def test_packages_of_npm_have_hashes() -> None:
    """Each that is downloaded, in SHA-512."""
    for lock in ROOT.glob("tests/**/package-lock.json"):
        packages = json.loads(lock.read_text())["packages"]
        assert len(packages) > 1
        assert all(each["integrity"].startswith("sha512-") for name, each in packages.items() if name)
