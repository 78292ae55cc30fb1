"""Hyperliquid: first-DEX perpetuals, builder DEXs (HIP-3) and spot.

Pure: wire signer meta rules session. See README.md for what is implemented and where each rule is from.
"""
