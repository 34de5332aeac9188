"""The kinds of pagination, each a small class; who reads them does not know which."""
