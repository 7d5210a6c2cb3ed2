"""`local.env`: the address and the administrator's key of the platform on this machine."""

from __future__ import annotations

import stat
from pathlib import Path

from api.client import local_env


def test_local_env_is_private_and_keeps_its_key(tmp_path: Path) -> None:
    """Only the owner may read the key; a later start on another port changes the address alone."""
    local_env.write(tmp_path, "http://127.0.0.1:1", None)
    assert local_env.read(tmp_path) == {}
    local_env.write(tmp_path, "http://127.0.0.1:1", "secret")
    local_env.write(tmp_path, "http://127.0.0.1:2", None)
    assert local_env.read(tmp_path) == {"HOLDFAST_URL": "http://127.0.0.1:2", "HOLDFAST_API_KEY": "secret"}
    assert stat.S_IMODE((tmp_path / local_env.NAME).stat().st_mode) == 0o600
