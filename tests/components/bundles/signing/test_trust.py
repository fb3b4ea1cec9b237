"""Which bundles an environment accepts, by its keys."""

import stat
from pathlib import Path

import pytest

from components.bundles.loading import Bundle
from components.bundles.manifest import SIGNATURE
from components.bundles.promotion import promote, rollback
from components.bundles.signing.home_key import KEY_VARIABLE, KEYS_VARIABLE, bundle_signer, signing_key
from components.bundles.signing.trust import SIGNATURES_VARIABLE, trust_here
from components.contracts.errors import ConfigurationError, UnverifiedBundleError
from components.home.layout import Home
from components.home.storage.locations import BucketPath
from tests.components.bundles.signing.signed_bundles import key_in, signed_bundle

NOW = "2024-06-03T02:00:00+00:00"
IN_A_BUCKET = Home(BucketPath("shop", "home"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def own_bundle(home: Home, scratch: Path, k: int = 10) -> Bundle:
    """Publish a bundle that the home's own key has signed."""
    signer = bundle_signer(home, "corner", {})
    assert signer is not None
    return signed_bundle(home.models, scratch, signer.key, k=k)


def test_a_home_makes_a_key_of_its_own_once_for_its_owner_alone(home: Home) -> None:
    first = signing_key(home, {})
    assert first is not None
    assert home.keys is not None
    assert stat.S_IMODE(home.keys.stat().st_mode) == 0o700
    assert stat.S_IMODE((home.keys / "signing.pem").stat().st_mode) == 0o600
    again = signing_key(home, {})
    assert again is not None
    assert again.public.id == first.public.id


@pytest.mark.parametrize("environment", ["local", "staging", "production"])
def test_a_folder_accepts_its_own_key_in_every_environment(home: Home, tmp_path: Path, environment: str) -> None:
    bundle = own_bundle(home, tmp_path)
    trust_here(home, environment, {}).check(bundle)


def test_a_bundle_of_a_key_that_was_replaced_is_accepted_until_its_public_half_goes(home: Home, tmp_path: Path) -> None:
    bundle = own_bundle(home, tmp_path)
    assert home.keys is not None
    [old] = home.keys.glob("*.pub")
    (home.keys / "signing.pem").unlink()
    newer = own_bundle(home, tmp_path, k=5)
    for each in (bundle, newer):
        trust_here(home, "local", {}).check(each)
    old.unlink()
    with pytest.raises(UnverifiedBundleError, match="is not trusted here, or no longer"):
        trust_here(home, "local", {}).check(bundle)


def test_local_accepts_unsigned_bundles_of_before_the_home_had_a_key(home: Home, tmp_path: Path) -> None:
    before = signed_bundle(home.models, tmp_path, None)
    trust_here(home, "local", {}).check(before)
    signed = own_bundle(home, tmp_path, k=5)
    later = signed_bundle(home.models, tmp_path, None, k=3)
    trust_here(home, "local", {}).check(before)
    (signed.folder / SIGNATURE).unlink()
    for bundle in (signed, later):
        with pytest.raises(UnverifiedBundleError, match=r"model\.sig: is missing"):
            trust_here(home, "local", {}).check(bundle)
    trust_here(home, "staging", {SIGNATURES_VARIABLE: "optional"}).check(before)
    with pytest.raises(UnverifiedBundleError, match=r"model\.sig: is missing"):
        trust_here(home, "staging", {}).check(before)


def test_a_home_whose_last_public_key_was_removed_accepts_nothing_new_unsigned(home: Home, tmp_path: Path) -> None:
    before = signed_bundle(home.models, tmp_path, None)
    signed = own_bundle(home, tmp_path, k=5)
    later = signed_bundle(home.models, tmp_path, None, k=3)
    assert home.keys is not None
    noted = (home.keys / "published_before.json").read_bytes()
    [public] = home.keys.glob("*.pub")
    public.unlink()
    trust_here(home, "local", {}).check(before)
    for bundle in (signed, later):
        with pytest.raises(UnverifiedBundleError, match="local accepts signed bundles only, and no key was named"):
            trust_here(home, "local", {}).check(bundle)
    mounted = {KEY_VARIABLE: key_in(tmp_path, "mounted").public.place}
    with pytest.raises(UnverifiedBundleError, match=r"model\.sig: is missing"):
        trust_here(home, "local", mounted).check(later)
    assert bundle_signer(home, "corner", {}) is not None  # the next publication
    assert (home.keys / "published_before.json").read_bytes() == noted
    trust_here(home, "local", {}).check(signed)


def test_what_is_unsigned_is_neither_promoted_nor_gone_back_to_where_a_signature_is_required(
    home: Home, tmp_path: Path
) -> None:
    unsigned = signed_bundle(home.models, tmp_path, None)
    with pytest.raises(UnverifiedBundleError, match="production accepts signed bundles only, and no key was named"):
        promote(home, "corner", unsigned.digest, "production", NOW, trust=trust_here(home, "production", {}))
    assert not home.environments.exists()
    promote(home, "corner", unsigned.digest, "production", NOW)
    signed = own_bundle(home, tmp_path, k=5)
    trust = trust_here(home, "production", {})
    assert promote(home, "corner", signed.digest, "production", NOW, trust=trust).moved
    with pytest.raises(UnverifiedBundleError, match=r"model\.sig: is missing"):
        rollback(home, "corner", "production", NOW, trust=trust)


def test_named_keys_are_accepted_alone_several_of_them_at_once(home: Home, tmp_path: Path) -> None:
    own = own_bundle(home, tmp_path)
    old, new = key_in(tmp_path / "mounted", "old"), key_in(tmp_path / "mounted", "new")
    bundles = [signed_bundle(home.models, tmp_path, key, k=k) for key, k in ((old, 3), (new, 4))]
    both = trust_here(home, "local", {KEYS_VARIABLE: str(tmp_path / "mounted")})
    for bundle in bundles:
        both.check(bundle)
    only_new = trust_here(home, "local", {KEYS_VARIABLE: str(tmp_path / "mounted" / "new.pub")})
    only_new.check(bundles[1])
    for bundle in (own, bundles[0]):
        with pytest.raises(UnverifiedBundleError, match="is not trusted here, or no longer"):
            only_new.check(bundle)


def test_a_bucket_signs_with_a_mounted_key_and_trusts_it(tmp_path: Path) -> None:
    assert signing_key(IN_A_BUCKET, {}) is None
    assert trust_here(IN_A_BUCKET, "staging", {}).keys == ()
    key = key_in(tmp_path, "mounted")
    variables = {KEY_VARIABLE: key.public.place}
    mounted = signing_key(IN_A_BUCKET, variables)
    assert mounted is not None
    assert [each.id for each in trust_here(IN_A_BUCKET, "staging", variables).keys] == [key.public.id]
    assert mounted.public.id == key.public.id


def test_a_key_that_nobody_accepts_any_more_signs_nothing(home: Home, tmp_path: Path) -> None:
    key_in(tmp_path / "accepted", "new")
    variables = {KEY_VARIABLE: key_in(tmp_path, "old").public.place, KEYS_VARIABLE: str(tmp_path / "accepted")}
    with pytest.raises(ConfigurationError, match="is none of those in RANKLOOP_VERIFY_KEYS, so nobody would accept"):
        bundle_signer(home, "corner", variables)


def test_a_mode_that_is_not_known_is_refused(home: Home) -> None:
    with pytest.raises(ConfigurationError, match="RANKLOOP_SIGNATURES: found 'no', expected required or optional"):
        trust_here(home, "local", {SIGNATURES_VARIABLE: "no"})
