"""The experiment of an environment: the arms that its users are assigned to, and the shadow arm.

``<home>/experiments/<environment>.toml`` is the interface: written and reviewed like code, followed by the service.
Without it every user is in the champion's arm.
"""

import tomllib
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from components.contracts.errors import ConfigurationError
from components.home.layout import NAME_ADVICE, Home, is_environment_name
from components.home.storage.documents import read_document
from components.home.storage.locations import Location
from components.shop.document import describe_mistakes
from components.shop.sources import Settings

ArmName = Literal["champion", "challenger", "baseline"]
ARMS: tuple[ArmName, ...] = get_args(ArmName)
CHAMPION: ArmName = "champion"
LATEST = "latest"
MAX_BYTES = 64 * 1024
TOLERANCE = 1e-6  # shares are written by hand, as decimals

Share = Annotated[float, Field(gt=0, le=1, strict=True, allow_inf_nan=False)]
BundleName = Annotated[str, Field(pattern=r"^(latest|(sha256:)?[0-9a-f]{8,64})$")]


class Arm(Settings):
    """One way of ranking, and the share of users who get it."""

    share: Share = Field(description="Share of the users, above 0; all shares add up to 1.")


class ChallengerArm(Arm):
    """A bundle that is tried on some users before it is promoted."""

    bundle: BundleName = Field(LATEST, description="`latest` (published last) or a bundle's digest.")


class Arms(Settings):
    """The arms of an experiment; there is always a champion."""

    champion: Arm = Field(description="The promoted bundle.")
    challenger: ChallengerArm | None = Field(None, description="Another bundle.")
    baseline: Arm | None = Field(None, description="The best simple rule, over the same candidates.")


class Shadow(Settings):
    """An arm that ranks requests of other arms without being shown."""

    arm: Literal["challenger"] = Field(description="The arm.")
    share: Share = Field(1.0, description="Share of the requests that it ranks too.")
    bundle: BundleName | None = Field(
        None, description="Its bundle, where no challenger's arm names one: `latest` unless given."
    )


class Experiment(Settings):
    """Arms and their shares, under a name that spreads the users: a new name spreads them again."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", description="Lower-case letters, digits, - and _.")
    arms: Arms = Field(description="The arms and their shares.")
    shadow: Annotated[Shadow | None, BeforeValidator(lambda value: _as_section(value))] = Field(
        None, description="An arm that ranks unseen: its name, or a section."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = sum(self.shares.values())
        if abs(total - 1) > TOLERANCE:
            shares = ", ".join(f"{arm} {share:g}" for arm, share in self.shares.items())
            raise ValueError(f"arms: found shares that add up to {total:g} ({shares}), expected 1")
        return self

    @model_validator(mode="after")
    def _one_challenger(self) -> Self:
        if self.arms.challenger and self.shadow and self.shadow.bundle:
            raise ValueError(
                "shadow.bundle: found one beside the challenger's arm, expected none: the shadow ranks with that arm's"
            )
        return self

    @property
    def shares(self) -> dict[str, float]:
        """Return each arm's share of the users, champion first."""
        arms: dict[str, Arm | None] = {name: getattr(self.arms, name) for name in ARMS}
        return {name: arm.share for name, arm in arms.items() if arm}

    @property
    def challenger_bundle(self) -> str | None:
        """``latest`` or the digest of the bundle that the challenger's arm or the shadow needs; None if neither is."""
        if self.arms.challenger:
            return self.arms.challenger.bundle
        return (self.shadow.bundle or LATEST) if self.shadow else None


def experiment_file(home: Home, environment: str) -> Location:
    """Return where the experiment of an environment is written.

    Raises:
        ConfigurationError: the name cannot be an environment's.
    """
    if not is_environment_name(environment):
        raise ConfigurationError(f"environment {environment!r}: {NAME_ADVICE}")
    return home.experiments / f"{environment}.toml"


def read_experiment(location: Location) -> Experiment | None:
    """Read an experiment; None if there is no document, for then none is running.

    Raises:
        ConfigurationError: it cannot be read, is too large, is not TOML, or a key is wrong, which is named.
        StorageError: the bucket cannot be used.
    """
    try:
        content = read_document(location)
    except OSError as error:
        raise ConfigurationError(
            f"{location}: the experiment cannot be read ({error}); make it a readable file"
        ) from error
    if content is None:
        return None
    if len(content) > MAX_BYTES:
        raise ConfigurationError(
            f"{location}: found more than {MAX_BYTES:,} bytes, expected an experiment of a few lines"
        )
    return _parsed(content, location)


def _parsed(content: bytes, location: Location) -> Experiment:
    try:
        return Experiment.model_validate(tomllib.loads(content.decode()))
    except ValidationError as error:
        raise ConfigurationError(f"{location}: {describe_mistakes(error, Experiment)}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{location}: this is not TOML: {error}") from error


def _as_section(value: Any) -> Any:
    return {"arm": value} if isinstance(value, str) else value
