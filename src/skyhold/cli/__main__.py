"""``python -m skyhold.cli``."""

from skyhold.cli import main

main()
