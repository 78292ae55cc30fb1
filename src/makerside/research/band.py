"""The levels of a profile side by side, and what a result is worth that depends on them."""

from decimal import Decimal
from typing import Any

_ROWS = (("orders", "orders_placed"), ("fills", "fills"), ("as maker", "maker_fills"), ("volume", "volume"))
MARKOUT_S = 10.0


def band_facts(summaries: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the table and the verdict as plain JSON values.

    summaries : of `summary.summarize`, by level: low, middle, high
    """
    net = {level: Decimal(one["pnl_net"]) for level, one in summaries.items()}
    width = max(net.values()) - min(net.values())
    rows = {name: [str(one[key]) for one in summaries.values()] for name, key in _ROWS}
    for name in summaries["middle"]["pnl_parts"]:
        rows[name] = [str(one["pnl_parts"][name]) for one in summaries.values()]
    rows["net PnL"] = [f"{value:f}" for value in net.values()]
    rows[f"markout {MARKOUT_S:.0f} s"] = [_markout(one) for one in summaries.values()]
    return {
        "levels": list(summaries),
        "rows": rows,
        "net_middle": f"{net['middle']:f}",
        "width": f"{width:f}",
        "verdict": verdict(net, width),
    }


def _markout(summary: dict[str, Any]) -> str:
    for one in summary["markouts"]:
        if one["horizon_s"] == MARKOUT_S and one["gross_bps"] is not None:
            return f"{one['gross_bps']:+.2f} bps"
    return "n/a"


def verdict(net: dict[str, Decimal], width: Decimal) -> str:
    """Return in a sentence what the result is worth. net : by level; width : of its band"""
    if max(net.values()) <= 0:
        return "no level of the profile makes money: what is unknown about the exchange does not change that"
    if min(net.values()) <= 0:
        return (
            "the levels do not agree whether it makes money: as far as this data goes the result is worth "
            "nothing; more runs of your own narrow the band"
        )
    if width > abs(net["middle"]):
        return (
            "it makes money at every level, but the band is wider than the profit: its sign is worth "
            "something, its size is not"
        )
    return "it makes money at every level, and the profit is larger than what the exchange leaves unknown"
