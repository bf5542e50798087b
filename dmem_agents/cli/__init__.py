"""The command line, `dmem`. Knows the public classes; nothing in the package knows it.

`main` is the entry point, `app` the commands; each other module is a command or what it shows. Modules
here import neither torch nor matplotlib at their top, so that `dmem --help` is quick; `heat_map` does, and is
imported when a picture is wanted.
"""
