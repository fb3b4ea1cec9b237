"""Seal the judged draft in the model store, with all that is known about it beside it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import cast

from components.bundles.digest import short
from components.bundles.loading import Bundle, handed_bundle, load_ranker
from components.bundles.sidecar import VerdictDocument
from components.bundles.signing.kept import keep_documents
from components.bundles.store import Signs, bundle_name, bundle_place, publish_folder
from components.contracts.errors import BundleError
from components.contracts.example_customers import CustomerExample
from components.contracts.handles import Handle
from components.contracts.steps.declared import StepResult
from components.contracts.steps.facts import PublicationFacts
from components.contracts.verdict import Verdict, read_verdict
from components.drift.sketch_codec import sketches_from_json
from components.home.handed import handed_document
from components.home.layout import Home
from components.shop.settings import Shop


def publish_bundle(
    shop: Shop,
    home: Home,
    draft: Handle,
    evaluation: Handle,
    run_id: str,
    now: str,
    code_revision: str | None,
    say: Callable[[str], None],
    examples: Sequence[CustomerExample] = (),
    signer: Signs | None = None,
) -> StepResult[PublicationFacts]:
    """Publish a draft and its verdict; a refused challenger is published too, but nothing points at it.

    ``now`` is ISO 8601; ``examples`` are shown in the report; without ``signer`` the bundle is not signed. Publishing
    the same draft again changes only its sidecar and what is signed of it.

    Raises:
        BundleError: the draft's parts, its verdict or the shop disagree.
    """
    say("checking that the bundle's parts agree")
    bundle = handed_bundle(draft)
    verdict = _agreed_verdict(shop, bundle, evaluation)
    say(f"sealing {short(bundle.digest)} in the model store{'' if signer else ', unsigned'}")
    sidecar = replace(
        bundle.sidecar,
        run_id=run_id,
        code_revision=code_revision,
        published_at=now,
        verdict=cast(VerdictDocument, asdict(verdict)),
    )
    sealed = publish_folder(home.models, bundle, sidecar, signer)
    if signer is not None:
        keep_documents(home.run(run_id), sealed)
    place = bundle_place(home.models, shop.name, sealed.digest)
    handle = Handle("bundle", str(place), draft.versions, sealed.digest, draft.as_of)
    return StepResult(handle, None, None, _model_card(sealed, tuple(examples)))


def _agreed_verdict(shop: Shop, bundle: Bundle, evaluation: Handle) -> Verdict:
    load_ranker(bundle)
    watched = sketches_from_json(bundle.sketches).tables
    names = set(bundle.manifest.feature_names)
    if "features" in watched and set(watched["features"].columns) != names:
        raise BundleError("the drift reference watches other features than the manifest lists; train the bundle again")
    for what, actual, expected in (
        ("verdict's bundle", evaluation.digest, bundle.digest),
        ("bundle's shop", bundle.manifest.shop, shop.name),
        ("bundle's list length", bundle.manifest.k, shop.k),
        ("bundle's horizon", bundle.manifest.horizon_days, shop.horizon_days),
    ):
        if actual != expected:
            raise BundleError(
                f"the {what} is {actual}, expected {expected}: the parts disagree; run `rankloop run` again"
            )
    return read_verdict(handed_document(evaluation))


def _model_card(bundle: Bundle, examples: tuple[CustomerExample, ...]) -> PublicationFacts:
    """Return the facts of a published bundle for the report; the training facts are those of the draft."""
    known = asdict(bundle.sidecar)
    verdict = known.pop("verdict")
    return PublicationFacts(
        **known,
        name=bundle_name(bundle),
        kind=bundle.manifest.kind,
        promote=verdict["promote"],
        feature_list=bundle.manifest.feature_list,
        feature_revision=bundle.manifest.feature_revision,
        bytes=sum(path.stat().st_size for path in bundle.folder.iterdir() if path.is_file()),
        examples=examples,
    )
