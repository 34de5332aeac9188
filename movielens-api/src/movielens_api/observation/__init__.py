"""What operators see of the server: metrics, the access log, and the server log."""
