"""The REST face: the reliable query and out-of-transfer validation as JSON over HTTP (contract §15).

`site.rest_face` is what is served. A document is read (`documents`), understood by tables (`criteria`, `reports`),
carried out by the service (`calls`), and answered (`answers`). No rules and no SQL here.
"""
