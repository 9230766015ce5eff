"""What the command line leaves with."""

__all__ = ["BAD_INPUT", "FAILED_AS_ASKED", "INTERNAL", "INTERRUPTED", "PIPE_CLOSED"]

FAILED_AS_ASKED = 1  # a verdict of --fail-on, or a difference with --exit-code
BAD_INPUT = 2
INTERNAL = 3  # a fault in a claim's code or in the package
INTERRUPTED = 130  # as a shell reports SIGINT
PIPE_CLOSED = 141  # as a shell reports SIGPIPE
