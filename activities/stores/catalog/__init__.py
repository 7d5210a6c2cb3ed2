"""The catalogue: the one place that says what exists and what is live. SQLite, or PostgreSQL by URL."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config

from activities.settings import Settings
from activities.stores.catalog.batches import Batches
from activities.stores.catalog.contents import Contents
from activities.stores.catalog.conversations import Conversations
from activities.stores.catalog.documents import Documents
from activities.stores.catalog.engine import Engine
from activities.stores.catalog.intake import Intake
from activities.stores.catalog.keys import Keys
from activities.stores.catalog.knowledge_bases import KnowledgeBases
from activities.stores.catalog.pending import Pending
from activities.stores.catalog.questions import Questions
from activities.stores.catalog.references import References
from activities.stores.catalog.searching import Searching
from activities.stores.catalog.stalled import Stalled
from activities.stores.catalog.trail import Trail

__all__ = ["Catalog", "alembic_config", "upgrade"]


class Catalog:
    """All of the catalogue, by subject. Raises CatalogUnavailable while the database is down."""

    def __init__(self, url: str, *, checkpoints: bool = True) -> None:
        self._engine = Engine(url, checkpoints=checkpoints)
        self.knowledge_bases = KnowledgeBases(self._engine)
        self.intake = Intake(self._engine)
        self.documents = Documents(self._engine)
        self.batches = Batches(self._engine)
        self.contents = Contents(self._engine)
        self.conversations = Conversations(self._engine)
        self.questions = Questions(self._engine)
        self.pending = Pending(self._engine)
        self.trail = Trail(self._engine)
        self.keys = Keys(self._engine)
        self.stalled = Stalled(self._engine)
        self.references = References(self._engine)
        self.searching = Searching(self._engine)

    async def ping(self) -> None:
        """Raise CatalogUnavailable unless the database answers."""
        await self._engine.ping()

    async def close(self) -> None:
        """Give all connections back."""
        await self._engine.close()


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
