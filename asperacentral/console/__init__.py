"""The console: jobs and sessions as people look at them in a browser, live, and their buttons.

A page of plain modules (`static/`), a stream of server-sent events to it, and a few calls. It asks and steers through
the same service as SOAP and REST, and shows REST's documents. Holds no rules of transfers.
"""
