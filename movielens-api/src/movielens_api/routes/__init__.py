"""The addresses, one module per resource. Each `router` function takes what its addresses serve."""
