"""Makerside: market making on perpetual-futures DEXs."""

__version__ = "0.1.0"
