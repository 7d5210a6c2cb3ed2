"""`make up` runs this before it installs anything: `python -m api.cli.ports [--only PART | --without PART] …`.

Needs only the standard library. Ports that this data folder's own platform uses are no conflict: `holdfast up` then
says that it runs already, or ends what a killed one has left.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from api.cli.texts.messages import text_of
from api.client.problems import Problem
from api.stack import ports


def main(argv: list[str]) -> int:
    """Exit code 1, and every conflict in one message, if a port is in use."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--without", action="append", default=[])
    options, _ = parser.parse_known_args(argv)
    data = str(Path(os.environ.get("HOLDFAST_DATA") or ".holdfast").expanduser().resolve())
    try:
        needed = ports.needed(os.environ)
    except ValueError:
        return 0  # `holdfast up` names the invalid setting
    chosen = [
        each for each in needed if (not options.only or each.part in options.only) and each.part not in options.without
    ]
    conflicts = [
        ports.message(port, user) for port, user in ports.taken(chosen).items() if not user or user.data != data
    ]
    if conflicts:
        print(text_of(Problem("ports-taken", ports=conflicts)), file=sys.stderr)
    return 1 if conflicts else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
