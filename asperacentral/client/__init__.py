"""The local transfer client: web pages on this machine's browser start and watch transfers through it.

Two faces, JSON-RPC (`rpc`) and Connect's local HTTP API (`connect`), over one service (`service`): who may ask
(`origins`), what a page may name (`grants`, `page_spec`), the list of transfers (`transfer`, `book`, `engine`), and
what the user is asked (`dialogs`). Transfers themselves are the FASP Manager's. Knows nothing of orders, jobs and the
daemon.
"""
