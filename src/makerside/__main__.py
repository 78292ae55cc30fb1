"""`python -m makerside`."""

from makerside.cli.main import main

main()
