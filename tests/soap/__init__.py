"""The SOAP face."""
