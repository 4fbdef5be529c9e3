"""The TLS context of every HTTPS client: the authorities of the machine, names and dates verified."""

import ssl


def client_context() -> ssl.SSLContext:
    """Return the context of a client that verifies the chain, the name and the dates of a host's certificate.

    Python 3.13 also demands extensions of RFC 5280 that authorities lack which were made by the usual ``openssl``
    recipe: key usage and subject key identifier. They are not demanded here, so that the same authority works on every
    Python. Source: "What's new in Python 3.13", ssl, VERIFY_X509_STRICT.
    """
    context = ssl.create_default_context()
    # Without it the least version is that of a file of the system, which another library may have kept from being read.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
