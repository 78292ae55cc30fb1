"""The one signature of all strategies, and the call of a strategy through its address.

The loops around strategies are compiled once, for all of them: they call machine code by an address
that the engine puts on the desk. Numba's own first-class functions do the same, but either cost
20 us a call from Python or have to be bound in a wrapper that is compiled anew in every process
(0.8 s); see docs/adr/0003. The address is that of a function compiled with `STRATEGY`; nothing else
may be put there. Exceptions of the strategy (assertions) propagate. Pure.
"""

from collections.abc import Callable
from typing import Any

import numba
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from makerside.core.kernel import Record, Strategy, record
from makerside.model.desk import desk_t
from makerside.model.market import market_t
from makerside.model.trader import trader_t

# targets(market, trader, desk) -> number of quotes; leg 0's market, others through desk["legs"]
STRATEGY = types.int64(record(market_t), record(trader_t), record(desk_t))

_IS_INTERPRETED = bool(getattr(numba.config, "DISABLE_JIT", 0))
_interpreted: dict[int, Strategy] = {}


def address_of(targets: Any) -> int:
    """Return the address of a strategy kernel, compiled (or loaded) now.

    targets : a `@kernel` of three records; when nothing is compiled, any number that stands for it
    """
    if _IS_INTERPRETED:
        number = id(targets)
        _interpreted[number] = targets
        return number
    targets.compile(STRATEGY)
    compiled = targets.overloads[STRATEGY.args]
    address: int = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    return address


@intrinsic
def _call_compiled(typing: Any, address: Any, market: Any, trader: Any, desk: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        takes = signature.args[1:]
        pointer_type = context.call_conv.get_function_type(types.int64, takes).as_pointer()
        function = builder.inttoptr(arguments[0], pointer_type)
        status, result = context.call_conv.call_function(builder, function, types.int64, takes, arguments[1:])
        with cgutils.if_unlikely(builder, status.is_error):  # type: ignore[no-untyped-call]
            context.call_conv.return_status_propagate(builder, status)
        return result

    return types.int64(types.int64, market, trader, desk), codegen


def _call_interpreted(address: int, market: Record, trader: Record, desk: Record) -> int:
    return _interpreted[int(address)](market, trader, desk)


_call: Any = _call_interpreted if _IS_INTERPRETED else _call_compiled
# (address, market, trader, desk) -> number of quotes
call_strategy: Callable[[int, Record, Record, Record], int] = _call
