"""What the daemon is doing, in numbers for Prometheus, and whether it is well: `/metrics`, `/healthz`, `/readyz`.

Numbers are kept as things happen or are in memory anyway; a scrape never scans the store. Labels have few values,
all of them known: nothing a client sends becomes one.
"""
