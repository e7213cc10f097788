"""The subcommands of `asperacentral`, a module each: HELP, DESCRIPTION, `add_arguments` and `run`."""
