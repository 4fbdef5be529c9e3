"""The errors that Trailcam raises for bad input and a bad world.

    TrailcamError
    ├── BundleError     a bundle, manifest, label list or model file cannot be trusted or used
    ├── SourceError     frames or pictures cannot be read
    ├── DeviceError     this machine lacks something: an interpreter, memory, disk
    ├── ConfigError     a configuration file cannot be used
    ├── UpdateError     a release cannot be fetched, verified or activated
    ├── DataError       a dataset cannot be used as it is
    ├── TrainError      a training cannot start or go on
    ├── ExportError     a run cannot be converted, or the converted model disagrees with it
    └── DeployError     a device cannot be reached or provisioned

A message states what, where, got, expected and the next step. A wrong call by a programmer is a ``ValueError`` instead.
Library code raises these; only the command line prints them and chooses an exit code.
"""


class TrailcamError(Exception):
    """Base of every error that the user can act on."""


class BundleError(TrailcamError):
    """A bundle, its manifest, labels or model cannot be trusted or used."""


class SourceError(TrailcamError):
    """Frames or pictures cannot be read."""


class DeviceError(TrailcamError):
    """This machine lacks something that the task needs."""


class ConfigError(TrailcamError):
    """A configuration file, or a file that it names, cannot be used."""


class UpdateError(TrailcamError):
    """A release cannot be fetched, verified or activated."""


class DataError(TrailcamError):
    """A dataset cannot be used as it is."""


class TrainError(TrailcamError):
    """A training cannot start or go on."""


class ExportError(TrailcamError):
    """A run cannot be converted, or the converted model disagrees with it."""


class DeployError(TrailcamError):
    """A device cannot be reached or provisioned."""


def reason_of(error: Exception) -> str:
    """Return the words of an error without number and path: those of the system for an ``OSError``."""
    return (isinstance(error, OSError) and error.strerror) or str(error)
