"""How often a user may ask: `slots` is the memory that all processes of a server share, `layer` what asks it."""
