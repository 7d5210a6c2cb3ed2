"""A real PostgreSQL server for tests: Debian's package, on a free port, with its data in a temporary folder."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ports import free_port

#: Where Debian's packages put the programs, by version.
DEBIAN = Path("/usr/lib/postgresql")

START_SECONDS = 60

#: A test server may lose its data in a crash, and is faster for it.
OPTIONS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300")


@dataclass(frozen=True)
class PostgreSQL:
    """A running server, its superuser's password, and its databases."""

    programs: Path
    port: int
    password: str
    pid: int

    def url(self, database: str) -> str:
        """SQLAlchemy URL of a database, as ``HOLDFAST_CATALOG_URL`` has it."""
        return f"postgresql+asyncpg://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str, template: str = "template1") -> str:
        """The URL of a new database that is a copy of ``template``."""
        self.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        return self.url(database)

    def drop(self, database: str) -> None:
        """Drops a database, also one that is in use."""
        self.execute(f'DROP DATABASE "{database}" WITH (FORCE)')

    def execute(self, statement: str, database: str = "postgres") -> str:
        """Runs a statement as superuser; its rows as text."""
        where = ["--host=127.0.0.1", f"--port={self.port}", "--username=postgres", f"--dbname={database}"]
        return subprocess.run(
            [str(self.programs / "psql"), *where, "--no-psqlrc", "--tuples-only", "--no-align", "--command", statement],
            env=os.environ | {"PGPASSWORD": self.password},
            check=True,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
        ).stdout

    def is_ready(self) -> bool:
        """Whether it accepts connections."""
        probe = [str(self.programs / "pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={self.port}"]
        return subprocess.run(probe, check=False).returncode == 0


@contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """A server with an empty cluster; it is stopped and its data removed at the end.

    Skips the test when PostgreSQL is not installed; in CI that is an error.
    """
    found = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        missing = f"PostgreSQL is not installed in {DEBIAN} (apt-get install postgresql)"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    programs, port, password = found[-1].parent, free_port(), secrets.token_urlsafe()
    user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    with tempfile.TemporaryDirectory(prefix="holdfast-postgresql-") as folder:
        data, secret, log = Path(folder, "data"), Path(folder, "password"), Path(folder, "log")
        secret.write_text(password)
        if user is not None:
            for path in (Path(folder), secret):
                shutil.chown(path, user)
        cluster = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync"]
        subprocess.run(
            [programs / "initdb", f"--pgdata={data}", *cluster, "--encoding=UTF8", "--locale=C.UTF-8"],
            user=user, group=user, extra_groups=[] if user else None, cwd=folder,
            check=True, capture_output=True, timeout=START_SECONDS,
        )  # fmt: skip
        options = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", *OPTIONS]
        with log.open("w") as output:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, *(part for option in options for part in ("-c", option))],
                user=user, group=user, extra_groups=[] if user else None, cwd=folder,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        server = PostgreSQL(programs, port, password, process.pid)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not server.is_ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"PostgreSQL did not start:\n{log.read_text()}")
                time.sleep(0.05)
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # ends open sessions too
            process.wait(START_SECONDS)
