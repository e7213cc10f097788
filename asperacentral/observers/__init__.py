"""Outgoing notifications: lanes, back-off, dead letters. Knows no rules of jobs and sessions."""
