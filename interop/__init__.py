"""Clients that other people's toolkits make from the served WSDL, run against a real daemon and node."""
