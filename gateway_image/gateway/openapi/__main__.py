"""Writes openapi.json anew: `python -m gateway.openapi`."""

from gateway.openapi import DOCUMENT
from gateway.openapi.document import document

if __name__ == "__main__":
    DOCUMENT.write_bytes(document())
