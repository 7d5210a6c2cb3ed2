"""``python -m api.cli``: the `holdfast` command."""

from api.cli.main import main

main()
