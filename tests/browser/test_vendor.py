"""Vendored libraries match the lock file."""

from __future__ import annotations

import json
import re

import pytest

from tests.browser.vendoring import PACKAGES, ROOT, VENDOR, manifest, sha256


def test_every_vendored_file_is_listed() -> None:
    """Every library's origin is recorded."""
    folders = [VENDOR, PACKAGES]
    found = {str(path.relative_to(ROOT)) for folder in folders for path in folder.iterdir()}
    ours = {f"tests/browser/vendor/{name}" for name in ("package.json", "package-lock.json", ".npmrc")}
    assert found == set(manifest()) | ours


@pytest.mark.parametrize("target", manifest())
def test_a_vendored_file_is_the_one_that_was_taken_from_its_package(target: str) -> None:
    """Byte for byte; `python -m tests.browser.vendoring --check` compares with the registry as well."""
    assert sha256((ROOT / target).read_bytes()) == manifest()[target]["sha256"]


def test_the_locked_versions_are_those_of_the_files() -> None:
    """`package.json`, the lock and the libraries' own versions agree; the lock names no registry."""
    package = json.loads((PACKAGES / "package.json").read_text())
    lock_text = (PACKAGES / "package-lock.json").read_text()
    lock = json.loads(lock_text)["packages"]
    for name, version in {**package["dependencies"], **package["devDependencies"]}.items():
        assert lock[f"node_modules/{name}"]["version"] == version
        assert lock[f"node_modules/{name}"]["integrity"].startswith("sha512-")
        code = [target for target, entry in manifest().items() if entry["package"] == name and target.endswith("js")]
        assert re.search(rf"\bv? ?{re.escape(version)}\b", (ROOT / code[0]).read_text()[:300])
    assert "resolved" not in lock_text
    assert "http" not in lock_text
