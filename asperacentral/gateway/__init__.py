"""The HTTP Gateway: files between a browser and a docroot or a transfer server, without a plug-in.

A face of its own process, `asperacentral gateway`: it speaks the protocols of the gateway's clients (docs/gateway.md)
and hands all that matters to rooms that exist: `openascp` for permissions and walls around files, `fasp` for telling
Central of each transfer. Knows no jobs, no SOAP and no SQL of Central's.
"""
