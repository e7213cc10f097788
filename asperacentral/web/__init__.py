"""HTTP as the faces share it: one server with its limits, resources, and the exchange of a request for a reply.

Knows no face: what is served, and in which words a request is refused, each face says in its `site.Face`.
"""
