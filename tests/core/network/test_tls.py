"""The TLS context: strict about what protects, the same on every Python."""

import ssl

from trailcam_core.network.tls import client_context


def test_chain_name_and_dates_are_verified_and_old_authorities_are_accepted() -> None:
    context = client_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
