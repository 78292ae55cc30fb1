"""Plain-Python twins of the kernels: dictionaries, fractions, decimals, and no code shared with them."""
