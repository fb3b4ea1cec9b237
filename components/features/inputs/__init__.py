"""What the views are computed from: clean tables with integer keys, purchase lines, trips, the catalogue."""
