"""``python -m nonsmooth`` is the command ``nonsmooth``."""

from nonsmooth.cli import main

if __name__ == "__main__":
    main()
