"""The servers that the gateway is compared with, by the language they run on."""
