"""openascp: the transfer process, one per session.

It takes ascp's options, moves files between this machine and an SSH server, and reports to its manager over
FASPMGR 2. It knows nothing of jobs, SOAP, the store or retries: its whole world is its command line.
"""
