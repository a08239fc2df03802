"""The environment contract, executable: `check_environment(environment)`."""

from eyehand.envs.check.contract import CheckReport, check_environment
from eyehand.envs.check.values import ContractBroken

__all__ = ["CheckReport", "ContractBroken", "check_environment"]
