"""Migrates the catalogue's tables with Alembic."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config

from activities.settings import Settings
from activities.stores.catalog.engine import Engine


def alembic_config(url: str) -> Config:
    """Alembic's configuration for the catalogue at ``url``."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url
    return config


async def upgrade(settings: Settings) -> None:
    """Migrates the catalogue's tables to the latest revision, and updates their statistics."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    await asyncio.to_thread(command.upgrade, alembic_config(settings.catalog_url), "head")
    engine = Engine(settings.catalog_url)
    try:
        await engine.analyze()
    finally:
        await engine.close()
