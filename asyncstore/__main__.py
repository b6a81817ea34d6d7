"""``python -m asyncstore`` is the command ``asyncstore``."""

from asyncstore.cli import main

if __name__ == "__main__":
    main()
