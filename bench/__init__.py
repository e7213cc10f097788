"""Measurements, each a script: `python -m bench.soap`, `bench.push`, `bench.first_byte`; `python -m bench` runs all."""
