"""`python -m fittracker`, and the `fittracker` command."""

from fittracker.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main(prog_name="fittracker")
