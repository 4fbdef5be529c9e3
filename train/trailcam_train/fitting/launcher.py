"""Who started this process as one of several: Keras' variables, Open MPI or Slurm. A function of the environment.

JAX itself finds the address of host 0 from the variables of Slurm, and from those of Open MPI before version 5.
Sources: the pages "srun", section "OUTPUT ENVIRONMENT VARIABLES", of Slurm, and "mpirun", section "Environment
variables", of Open MPI; ``jax._src.clusters`` for the variables that JAX reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from trailcam_core.errors import TrainError


@dataclass(frozen=True)
class Launcher:
    """``name`` started ``count`` processes, of which this is ``number``; ``variable`` states the count.

    ``address`` is that of host 0, None if JAX finds it. ``local`` is the number of this process on its machine, None if
    the launcher does not state it.
    """

    name: str
    variable: str
    count: int
    number: int
    address: str | None = None
    local: int | None = None

    def __str__(self) -> str:
        """Return one line for the user."""
        if self.count == 1:
            return f"{self.name} started one process: the training runs on this host alone"
        return f"host {self.number} of {self.count}, started by {self.name}"


@dataclass(frozen=True)
class _Variables:
    name: str
    count: str
    number: str
    local: str
    cure: str


ADDRESSES, COUNT, NUMBER = (f"KERAS_DISTRIBUTION_{name}" for name in ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID"))
_KERAS = _Variables(
    "Keras' variables", COUNT, NUMBER, "",
    f"Set {ADDRESSES}, {COUNT} and {NUMBER} on every host, or unset all three to train on this host alone.",
)  # fmt: skip
_OPEN_MPI = _Variables(
    "Open MPI", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK",
    "Start it with mpirun, or without --hosts auto.",
)  # fmt: skip
_SLURM = _Variables(
    "Slurm", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID", "Start it with srun, or without --hosts auto."
)


def find_launcher(environment: Mapping[str, str], auto: bool) -> Launcher | None:
    """Return who started this process; None if no variable names one. An empty variable is none.

    Args:
        environment: its variables.
        auto: whether Open MPI and Slurm are asked too. A shell inside a Slurm job has its variables as well.

    Raises:
        TrainError: the variables are incomplete or wrong.
    """
    # mpirun inside a Slurm job: those of Slurm count the tasks that run mpirun. JAX asks in this order, too.
    job = next((job for job in (_OPEN_MPI, _SLURM) if environment.get(job.count)), None)
    if environment.get(COUNT) or environment.get(NUMBER) or (environment.get(ADDRESSES) and job is None):
        return _read(environment, _KERAS)
    return _read(environment, job) if auto and job is not None else None


def _read(environment: Mapping[str, str], variables: _Variables) -> Launcher:
    count = _number(environment, variables.count, 1, None, variables.cure)
    if count == 1:
        return Launcher(variables.name, variables.count, 1, 0)
    if variables is _SLURM and not environment.get("SLURM_STEP_NODELIST"):
        raise TrainError(
            f"{_SLURM.count} is {count}, but SLURM_STEP_NODELIST is not set: this is the only process, which sbatch or "
            f"salloc started. {_SLURM.cure}"
        )
    number = _number(environment, variables.number, 0, count - 1, variables.cure)
    local = environment.get(variables.local, "")
    return Launcher(
        variables.name, variables.count, count, number,
        _address(environment, variables), int(local) if local.isdecimal() else None,
    )  # fmt: skip


def _number(environment: Mapping[str, str], variable: str, low: int, high: int | None, cure: str) -> int:
    text = environment.get(variable, "")
    if not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
        got = f'is "{text}"' if text else "is not set"
        expected = f"a whole number of {low} or more" if high is None else f"a whole number from {low} to {high}"
        raise TrainError(f"{variable} {got}, expected {expected}. {cure}")
    return int(text)


def _address(environment: Mapping[str, str], variables: _Variables) -> str | None:
    """Return the address of host 0; None if JAX finds it."""
    text = environment.get(ADDRESSES, "")
    address = text.split(",")[0].strip()
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        return address
    found = variables is _SLURM or (variables is _OPEN_MPI and environment.get("OMPI_MCA_orte_hnp_uri"))
    if not text and found:
        return None
    got = f'is "{text}"' if text else "is not set"
    why = ", which Open MPI 5 does not state" if variables is _OPEN_MPI and not text else ""
    raise TrainError(
        f"{ADDRESSES} {got}, expected HOST:PORT of host 0{why}. Set {ADDRESSES}=HOST:PORT to the same on every host, "
        "with a free port of host 0."
    )
