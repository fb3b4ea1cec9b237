"""Delta tables: how they are read, committed, restored and cleaned up; and the engine that queries them."""
