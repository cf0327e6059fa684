"""The `fittracker` command: one module a subcommand, gathered in `fittracker/cli.py`."""
