"""What the commands share: their options, and how results stand on a terminal or as one JSON document."""
