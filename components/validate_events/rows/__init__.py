"""Which raw rows are valid, and what the valid ones become."""
