"""What credentials prove: keys, tokens, and where a request comes from.

`gateway.authentication` puts it together. Importing this package loads nothing: settings need the formats,
and must not load cryptography for them.
"""
