"""Tells schemathesis how the bytes of a resumable upload are sent."""

import schemathesis


@schemathesis.serializer("application/offset+octet-stream")
def offset_octets(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode()
