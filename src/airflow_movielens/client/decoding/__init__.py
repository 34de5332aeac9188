"""From the bytes of an answer to rows that keep the contract."""
