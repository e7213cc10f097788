"""The FASP Manager as a library: jobs of one or several sessions, with events, statistics, control and retries.

`orders`, `events`, `retry` and `jobs` are pure; `core` runs jobs on a reactor by way of `fasp.manager`, which the
daemon uses too; `manager` and `asynchronous` are its faces for threads, Twisted and asyncio.
"""
