"""Assignment: which arm a user is in, and which requests a shadow ranks too. Nothing is stored: hashes decide.

A hash of the experiment's name and the user's id puts the user at a point of [0, 1), for as long as the name stays::

    0 ── challenger ──▶ |          champion          | ◀── baseline ── 1

The challenger's users lie at the bottom, the baseline's at the top, the champion's between. So an arm that comes, goes,
grows or shrinks trades users with the champion alone, and nobody else's list changes.
"""

from hashlib import blake2b

from components.experiments.experiment import CHAMPION, ArmName, Experiment

POINTS = 2.0**-53  # a float holds 53 bits, so that no point rounds up to 1
SHADOWED = "shadow"


def arm_of(experiment: Experiment | None, user_id: str) -> ArmName:
    """Return a user's arm: the same for every request, in every process, for as long as name and shares stay."""
    if experiment is None:
        return CHAMPION
    point, arms = point_of(experiment.name, user_id), experiment.arms
    if arms.challenger and point < arms.challenger.share:
        return "challenger"
    if arms.baseline and point >= 1 - arms.baseline.share:
        return "baseline"
    return CHAMPION


def shadow_of(experiment: Experiment | None, request_id: str, arm: ArmName) -> ArmName | None:
    """Return the arm that ranks a request unseen; None if none does, or if it is the one that is shown."""
    if experiment is None or experiment.shadow is None or experiment.shadow.arm == arm:
        return None
    chosen = point_of(experiment.name, request_id, SHADOWED) < experiment.shadow.share
    return experiment.shadow.arm if chosen else None


def point_of(name: str, key: str, purpose: str = "") -> float:
    """A uniform point of [0, 1) for a key; names and purposes give independent ones."""
    salted = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, key=name.encode(), person=purpose.encode())
    return (int.from_bytes(salted.digest()) >> 11) * POINTS
