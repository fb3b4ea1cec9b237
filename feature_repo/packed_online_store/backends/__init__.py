"""The stores of packed rows: Redis on a cluster, LMDB on one machine, behind one protocol."""
