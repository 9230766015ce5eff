"""The command line: one file a command, loaded when it is called.

Exit codes: 0 fine; 1 a verdict or difference that the caller asked to fail on; 2 bad input, in one
line; 3 a fault in a claim's code or in the package; 130 after Ctrl-C, with all finished runs kept; 141
when whoever read the output went away.

``--help`` must stay light, so nothing here imports a numerical package outside a command's body.
"""

from nonsmooth.cli._group import cli, main

__all__ = ["cli", "main"]
