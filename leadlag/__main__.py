"""`python -m leadlag` is the command `leadlag`."""

from leadlag.cli import main

if __name__ == "__main__":
    main()
