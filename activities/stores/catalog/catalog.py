"""The catalogue's entry point."""

from __future__ import annotations

from activities.stores.catalog.audit.answers import AnswerUses
from activities.stores.catalog.audit.trail import AuditTrail
from activities.stores.catalog.audit_log.holds import Holds
from activities.stores.catalog.audit_log.log import AuditLog
from activities.stores.catalog.audit_log.retention import LogRetention
from activities.stores.catalog.backlog import Backlog
from activities.stores.catalog.batches import Batches
from activities.stores.catalog.bulk_changes import BulkChanges
from activities.stores.catalog.content_locks import ContentLocks
from activities.stores.catalog.conversations import Conversations
from activities.stores.catalog.document_list import DocumentList
from activities.stores.catalog.documents import Documents
from activities.stores.catalog.engine import Engine
from activities.stores.catalog.gates import Gates
from activities.stores.catalog.generations import Generations
from activities.stores.catalog.intake import Intake
from activities.stores.catalog.knowledge_bases import KnowledgeBases
from activities.stores.catalog.lookup import Lookup
from activities.stores.catalog.old_documents import OldDocuments
from activities.stores.catalog.operations.operations import Operations
from activities.stores.catalog.outbox import Outbox
from activities.stores.catalog.people.api_keys import ApiKeys
from activities.stores.catalog.people.grants import Grants
from activities.stores.catalog.people.groups import Groups
from activities.stores.catalog.people.leftovers import Leftovers
from activities.stores.catalog.people.sessions import Sessions
from activities.stores.catalog.people.users import Users
from activities.stores.catalog.platform import Platform
from activities.stores.catalog.question_events import QuestionEvents
from activities.stores.catalog.questions import Questions
from activities.stores.catalog.reconcile.references import References
from activities.stores.catalog.reconcile.retention import Retention
from activities.stores.catalog.reconcile.runs import StalledRuns
from activities.stores.catalog.reindex_alls import ReindexAlls
from activities.stores.catalog.reindexes import Reindexes
from activities.stores.catalog.revision import require_migrated
from activities.stores.catalog.runs.archive import RunArchive
from activities.stores.catalog.runs.outside import OutsideActions
from activities.stores.catalog.schedules import Schedules
from activities.stores.catalog.search_scope import SearchScope
from activities.stores.catalog.sources import Sources
from activities.stores.catalog.syncs import Syncs
from activities.stores.catalog.webhooks.deliveries import Deliveries
from activities.stores.catalog.webhooks.endpoints import Endpoints


class Catalog:
    """The catalogue, one attribute per subject. All methods raise CatalogUnavailable while the database is down."""

    def __init__(self, url: str, *, checkpoints: bool = True, connections: int = 15, collections: int = 1000) -> None:
        """``collections`` index generations have a Milvus collection of their own, further ones share one."""
        self._engine = Engine(url, checkpoints=checkpoints, connections=connections)
        self.platform = Platform(self._engine)
        self.knowledge_bases = KnowledgeBases(self._engine, collections)
        self.intake = Intake(self._engine)
        self.documents = Documents(self._engine)
        self.document_list = DocumentList(self._engine, self.documents, self.knowledge_bases)
        self.bulk_changes = BulkChanges(self._engine, self.document_list)
        self.batches = Batches(self._engine)
        self.outbox = Outbox(self._engine, self.batches)
        self.content_locks = ContentLocks(self._engine)
        self.conversations = Conversations(self._engine)
        self.questions = Questions(self._engine)
        self.question_events = QuestionEvents(self._engine)
        self.backlog = Backlog(self._engine)
        self.audit = AuditTrail(self._engine)
        self.answer_uses = AnswerUses(self._engine)
        self.audit_log = AuditLog(self._engine)
        self.log_retention = LogRetention(self._engine)
        self.holds = Holds(self._engine)
        self.api_keys = ApiKeys(self._engine)
        self.users = Users(self._engine)
        self.sessions = Sessions(self._engine)
        self.leftovers = Leftovers(self._engine)
        self.groups = Groups(self._engine)
        self.grants = Grants(self._engine)
        self.stalled_runs = StalledRuns(self._engine)
        self.references = References(self._engine)
        self.retention = Retention(self._engine)
        self.generations = Generations(self._engine, collections)
        self.reindexes = Reindexes(self._engine)
        self.schedules = Schedules(self._engine)
        self.old_documents = OldDocuments(self._engine)
        self.sources = Sources(self._engine)
        self.syncs = Syncs(self._engine)
        self.gates = Gates(self._engine)
        self.reindex_alls = ReindexAlls(self._engine)
        self.search_scope = SearchScope(self._engine)
        self.lookup = Lookup(self._engine)
        self.operations = Operations(self._engine)
        self.webhooks = Endpoints(self._engine)
        self.deliveries = Deliveries(self._engine)
        self.run_archive = RunArchive(self._engine)
        self.outside_actions = OutsideActions(self._engine)

    def connections(self) -> tuple[int, int]:
        """How many connections this process has in use, and how many it may open."""
        return self._engine.connections()

    async def ping(self) -> None:
        """Raises CatalogUnavailable unless the database responds, and CatalogNotMigrated unless it has its tables."""
        await self._engine.ping()
        await require_migrated(self._engine)

    async def analyze(self) -> None:
        """Updates the statistics that the database plans its queries with."""
        await self._engine.analyze()

    async def close(self) -> None:
        """Closes all connections."""
        await self._engine.close()
