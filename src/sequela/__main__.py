"""`python -m sequela`, the form in which `torchrun -m sequela` starts the command too."""

from sequela.cli.main import main

if __name__ == "__main__":
    main()
