"""Lighter: so far its rules, as dated data. Read `terms.py` first."""
