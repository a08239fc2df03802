"""`python -m eyehand` is the `eyehand` command."""

from eyehand.agent.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
