"""``python -m vcut``."""

from vcut.cli import main

if __name__ == "__main__":
    main()
