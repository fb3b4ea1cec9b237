"""The shop file: its settings types, how it is read, and the reference made from them."""
