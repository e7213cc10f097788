"""The rules: orders, jobs, sessions, retries, topics and queries.

Nothing here knows Twisted, SQL or XML namespaces: tables and values are pure, and the one service that
faces call (`service.Central`) reaches the outside through the narrow interfaces of `ports`.
"""
