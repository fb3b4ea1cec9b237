"""What the service says of itself: metrics, traces, the request log."""
