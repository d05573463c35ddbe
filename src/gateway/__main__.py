"""`python -m gateway` is `dreamnet`."""

from gateway.cli import main

main()
