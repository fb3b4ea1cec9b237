"""Purchases as CSV, and a contract that stops nothing."""

HEADER = "customer,article,bought_at\n"
ROWS = "a,1,2024-03-01 10:00:00\nb,2,2024-03-02 11:00:00\n"
LENIENT = "\n[contract]\nmax_quarantined = 1.0\nmax_missing_items = 1.0\n"
