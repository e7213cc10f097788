"""The fast plane: a session's stream in UDP datagrams, at the target rate whatever the distance and the loss.

`docs/udp-protocol.md` describes it. Pure, without sockets and clocks: `packets` (codec), `keys`, `holes`, `boxes`
(what one end sends and what arrives), `handshake`, `receiving`, `sending`, `rates`. The thin shell around them:
`sockets` and `engine`.
"""
