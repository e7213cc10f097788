"""Tests of the notifications to observers."""
