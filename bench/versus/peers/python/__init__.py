"""The servers on Python that the gateway is compared with. They run in an environment of their own:
`requirements.lock`."""
