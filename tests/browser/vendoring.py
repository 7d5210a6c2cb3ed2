"""Vendors libraries for the page and its tests: ``python -m tests.browser.vendoring [--check]``.

``tests/browser/vendor/package.json`` names the versions, and in ``vendored`` the target of each file of a package with
its SHA-256. Without ``--check`` the files are copied from the locked packages (npm verifies those against
``package-lock.json``) and their hashes recorded; with it they are compared, byte by byte.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "api" / "web" / "vendor"
PACKAGES = ROOT / "tests" / "browser" / "vendor"


def manifest() -> dict[str, dict[str, str]]:
    """File in this repository → {package, from (in the package), sha256}."""
    found: dict[str, dict[str, str]] = json.loads((PACKAGES / "package.json").read_text())["vendored"]
    return found


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def locked_packages(folder: Path) -> Path:
    """Install the locked packages into a folder; the path of its node_modules."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(PACKAGES / name, folder)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder / "node_modules"


def originals(modules: Path) -> dict[str, bytes]:
    """File in this repository → its bytes in the locked package, without its reference to a source map."""
    found = {}
    for target, entry in manifest().items():
        content = (modules / entry["package"] / entry["from"]).read_bytes()
        found[target] = re.sub(rb"\n//# sourceMappingURL=\S+\s*$", b"\n", content)
    return found


def main() -> int:
    """Copy or compare; 1 if a file differs from the locked one."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = originals(locked_packages(Path(folder)))
    if "--check" in sys.argv[1:]:
        wrong = [target for target, content in wanted.items() if (ROOT / target).read_bytes() != content]
        print(
            "\n".join(f"{target} is not the locked package's" for target in wrong) or f"{len(wanted)} files are equal"
        )
        return 1 if wrong else 0
    package = json.loads((PACKAGES / "package.json").read_text())
    for target, content in wanted.items():
        (ROOT / target).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / target).write_bytes(content)
        package["vendored"][target]["sha256"] = sha256(content)
    (PACKAGES / "package.json").write_text(json.dumps(package, indent=2, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
