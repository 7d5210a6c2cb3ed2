"""The catalogue's one object: all of it, by subject."""

from __future__ import annotations

from activities.stores.catalog.api_keys import Keys
from activities.stores.catalog.audit import Trail
from activities.stores.catalog.backlog import Pending
from activities.stores.catalog.batches import Batches
from activities.stores.catalog.content_locks import Contents
from activities.stores.catalog.conversations import Conversations
from activities.stores.catalog.documents import Documents
from activities.stores.catalog.engine import Engine
from activities.stores.catalog.intake import Intake
from activities.stores.catalog.knowledge_bases import KnowledgeBases
from activities.stores.catalog.questions import Questions
from activities.stores.catalog.reconcile.references import References
from activities.stores.catalog.reconcile.runs import Stalled
from activities.stores.catalog.search_scope import Searching


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
