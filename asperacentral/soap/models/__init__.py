"""The contract's messages and types as spyne models, a module per namespace (contract §4). No behaviour."""
