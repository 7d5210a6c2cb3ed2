"""The parts of the catalogue that operators see, one attribute per subject."""

from __future__ import annotations

from activities.stores.catalog.engine import Engine
from activities.stores.catalog.operations.failures import Failures
from activities.stores.catalog.operations.generations import CurrentGenerations
from activities.stores.catalog.operations.jobs import CurrentJobs
from activities.stores.catalog.operations.throughput import Throughputs


class Operations:
    """Raises CatalogUnavailable while the database is down."""

    def __init__(self, engine: Engine) -> None:
        self.jobs = CurrentJobs(engine)
        self.failures = Failures(engine)
        self.throughput = Throughputs(engine)
        self.generations = CurrentGenerations(engine)
