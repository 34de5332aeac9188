"""Programs that fetch a window into a file, each in a process of its own."""
