"""Formats: the encodings of streams over HTTP.

Each module here that declares a `FORMAT` is one; nothing else lists them.
"""

from importlib import import_module
from pkgutil import iter_modules

from gateway.transport.formats.stream_format import StreamFormat

__all__ = ["STREAM_FORMATS", "StreamFormat", "declared_formats"]


def declared_formats() -> dict[str, StreamFormat]:
    """The formats of all modules in this package, by media type, in the order of preference."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    found = [module.FORMAT for module in modules if hasattr(module, "FORMAT")]
    return {format.media_type: format for format in sorted(found, key=lambda each: each.rank)}


STREAM_FORMATS = declared_formats()
