"""The life of a run in its home: its record, those of its steps, the lock, and what it came to."""
