"""What ascp promises about files, apart from moving their bytes: selection, links, attributes, checksums, manifests,
backups, encryption at rest, and what happens to the sources afterwards.

Each module is pure, or a thin layer over one open file, so that every data plane and both halves of a session use
the same rules. Nothing here knows of SSH, sessions or options.
"""
