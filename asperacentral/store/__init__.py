"""The store: jobs, sessions, file transfers, subscriptions and the outbox, in SQLite or PostgreSQL.

One writer thread with group commit, a few readers, SQLAlchemy Core. It knows no rules beyond constraints.
"""
