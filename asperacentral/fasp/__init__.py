"""The FASP Manager: launches one transfer process per session, hears it, and steers it.

It knows the management protocol (FASPMGR 2) and processes, but nothing of SOAP, jobs or the store.
"""
