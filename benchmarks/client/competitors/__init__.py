"""Programs that fetch a window into a file, each in its own process."""
