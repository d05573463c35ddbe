"""`python -m gateway` is `dreamnet`."""

from gateway.cli.main import main

main()
