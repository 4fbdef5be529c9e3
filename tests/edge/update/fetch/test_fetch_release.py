"""The one private attribute of python-tuf that is used."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tuf.api.metadata import Metadata, Root
from tuf.ngclient import Updater

from trailcam_core.errors import UpdateError
from trailcam_edge.update.fetch.fetch_release import set_reference_time
from trailcam_edge.update.fetch.folder_fetcher import FolderFetcher

TIME = datetime(2026, 6, 1, tzinfo=UTC)


def test_this_python_tuf_takes_the_time(tmp_path: Path) -> None:
    from securesystemslib.signer import CryptoSigner

    signer = CryptoSigner.generate_ed25519()
    root = Root(expires=datetime(2030, 1, 1, tzinfo=UTC))
    for role in root.roles:
        root.add_key(signer.public_key, role)
    signed = Metadata(root)
    signed.sign(signer)
    client = Updater(str(tmp_path), "folder:/", fetcher=FolderFetcher(tmp_path), bootstrap=signed.to_bytes())
    set_reference_time(client, TIME)
    assert client._trusted_set.reference_time == TIME


@pytest.mark.parametrize("client", [SimpleNamespace(), SimpleNamespace(_trusted_set=SimpleNamespace(now=TIME))])
def test_a_python_tuf_that_keeps_it_elsewhere_is_named(client: Any) -> None:
    with pytest.raises(UpdateError, match=r"python-tuf .* expected version 7.*tuf>=7,<8"):
        set_reference_time(cast(Updater, client), TIME)
