"""Where a home lies and how it is read and written: layout, locks, runs, documents that survive a kill."""
