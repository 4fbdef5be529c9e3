"""The private keys of a release repository: one ed25519 key for each role, in one folder that only its owner can read.

``root.pem`` is encrypted with a passphrase and is needed only to make the repository and to exchange keys: keep
it offline, with a copy in another building. The other three sign every release and are protected by the modes of their
files; ``rotate-keys`` revokes stolen ones. A lost root key cannot be restored. During its own exchange the new one is
``root.next.pem``.
"""

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner

from trailcam_core.errors import DeployError
from trailcam_core.files.atomic import make_folder, sync_directory, write_file

MIN_PASSPHRASE = 12  # characters; NIST SP 800-63B requires 8 where guesses are limited; here they are not
_PRIVATE = 0o600


class KeyFolder:
    """Create, write and read the keys of one repository."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, role: str) -> Path:
        """Return the file of a role's key."""
        return self._folder / f"{role}.pem"

    @property
    def next_root(self) -> Path:
        """Return the file of a root key during its exchange, before it replaces the old one."""
        return self._folder / "root.next.pem"

    def create(self, role: str, passphrase: str | None = None) -> CryptoSigner:
        """Create a key for a role, readable only by its owner, and return it. An older one is replaced.

        Raises:
            DeployError: the passphrase is too short, or root has none.
            OSError: the disk is full, read-only or failing.
        """
        return self._create(self.path(role), role, passphrase)

    def create_next_root(self, passphrase: str | None) -> CryptoSigner:
        """Create a root key beside the present one, and return it.

        Raises:
            DeployError: the passphrase is too short or missing.
            OSError: the disk is full, read-only or failing.
        """
        return self._create(self.next_root, "root", passphrase)

    def take_next_root(self) -> None:
        """Replace the old root key by the new one, in one step."""
        self.next_root.replace(self.path("root"))
        sync_directory(self._folder)

    def _create(self, path: Path, role: str, passphrase: str | None) -> CryptoSigner:
        encryption: KeySerializationEncryption = NoEncryption()
        if role == "root":
            if passphrase is None or len(passphrase) < MIN_PASSPHRASE:
                raise DeployError(
                    f"the passphrase of the root key has {len(passphrase or '')} characters, "
                    f"expected {MIN_PASSPHRASE} or more. Four random words are good."
                )
            encryption = BestAvailableEncryption(passphrase.encode())
        key = Ed25519PrivateKey.generate()
        make_folder(self._folder, 0o700)
        write_file(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption), _PRIVATE)
        return CryptoSigner(key)

    def load(self, role: str, passphrase: str | None = None) -> CryptoSigner:
        """Read a role's key.

        Raises:
            DeployError: it is missing, other users can read it, the passphrase is wrong, or it is no ed25519 key.
        """
        path = self.path(role)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise DeployError(
                f"{path}: cannot be read ({error.strerror}). Restore the {role} key from its backup."
            ) from error
        with os.fdopen(descriptor, "rb") as file:
            rights = stat.S_IMODE(os.fstat(descriptor).st_mode)
            if rights & 0o077:
                raise DeployError(f"{path}: other users can read it (mode {rights:o}). Run: chmod 600 {path}")
            content = file.read(65_536)
        try:
            key = load_pem_private_key(content, passphrase.encode() if passphrase else None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise DeployError(f"{path}: cannot be opened: wrong passphrase, or no key.") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise DeployError(f"{path}: is no ed25519 key.")
        return CryptoSigner(key)
