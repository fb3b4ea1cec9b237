"""The whole loop on a real cluster: `make acceptance`; `make test` leaves it out."""
