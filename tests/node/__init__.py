"""Tests of the embedded SSH node."""
