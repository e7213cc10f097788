"""Measuring the fast plane over paths of any rate, distance and loss; see README.md beside this file."""
