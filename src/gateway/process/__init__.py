"""Process: starting, serving and stopping."""
