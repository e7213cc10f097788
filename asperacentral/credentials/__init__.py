"""Who may: hashes of passwords, how often may be guessed, the users of the daemon's web pages and their logins.

Knows neither SSH nor HTTP.
"""
