"""Who started this process as one of several: Keras' variables, Slurm or Open MPI. A function of the environment.

JAX itself finds the address of host 0 from the variables of Slurm and Open MPI. Sources: the pages "srun", section
"OUTPUT ENVIRONMENT VARIABLES", of Slurm, and "mpirun", section "Environment variables", of Open MPI.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Launcher:
    """``name`` started ``count`` processes, of which this is ``number``; ``variable`` states the count."""

    name: str
    variable: str
    count: int
    number: str

    def __str__(self) -> str:
        """Return one line for the user."""
        if self.count == 1:
            return f"{self.name} started one process: the training runs on this host alone"
        return f"host {self.number} of {self.count}, started by {self.name}"


_KERAS = ("Keras' variables", "KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID")
_OTHERS = (
    ("Slurm", "SLURM_NTASKS", "SLURM_PROCID"),
    ("Open MPI", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
)


def find_launcher(environment: Mapping[str, str], auto: bool) -> Launcher | None:
    """Return who started this process; None if no variable names one.

    Args:
        environment: its variables.
        auto: whether Slurm and Open MPI are asked too. A shell inside a Slurm job has its variables as well.
    """
    for name, count, number in (_KERAS, *(_OTHERS if auto else ())):
        text = environment.get(count, "")
        if text.isdecimal() and int(text) >= 1:
            return Launcher(name, count, int(text), environment.get(number, "?"))
    return None
