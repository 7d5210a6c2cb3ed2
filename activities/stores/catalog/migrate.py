"""The catalogue's tables are brought up to date with Alembic."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config

from activities.settings import Settings


def alembic_config(url: str) -> Config:
    """Alembic's configuration for the catalogue at ``url``."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url
    return config


async def upgrade(settings: Settings) -> None:
    """Bring the catalogue's tables up to date; does nothing when they are."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    await asyncio.to_thread(command.upgrade, alembic_config(settings.catalog_url), "head")
