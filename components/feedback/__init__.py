"""What the service showed and what came back: logged while it serves, read by ingestion and experiments."""
