from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from redis import Redis

from components.build_features.snapshots import build_features
from components.bundles.store import publish_folder
from components.contracts.moments import microseconds
from components.features.snapshots.sets import VIEWS, current_set, open_set
from components.home.tombstones import add_tombstone
from components.lake.tables import open_table
from components.materialize_features.catalogue import catalogue_of
from components.materialize_features.materialization import materialize_features, put_rows
from components.materialize_features.online_state import gap
from components.materialize_features.packed_rows import open_client, packed_view, write_newest
from components.ranking.sessions import Session
from components.ranking_service.answering.sessions import session_table
from feature_repo.catalogue import unpack_catalogue
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.clock import StoredClock
from feature_repo.packed_online_store.keys import catalogue_key
from feature_repo.packed_online_store.writing import write_view
from feature_repo.project import PROJECT
from feature_repo.sessions import session_view
from tests.components.build_features.homes import home_of, quiet, small_shop
from tests.components.bundles.drafts import ranker_draft, written
from tests.components.features.frames import on
from tests.servers import redis_server

# Ibis 12 reads a DuckDB 2 table's schema through a method that DuckDB deprecates; goes with Ibis 13.
pytestmark = [
    pytest.mark.slow(seconds=25),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:feast"),
    pytest.mark.filterwarnings("ignore::UserWarning:feast"),
]


def test_every_row_of_the_newest_snapshot_is_online(tmp_path):
    home, clean = home_of(tmp_path)
    features = build_features(small_shop(), home, clean, quiet).handle
    done = materialize_features(small_shop(), home, features, quiet)
    chosen = open_set(features)
    rows = pq.read_table(chosen.newest("user_features"))
    assert done.rows_out == len(rows) + pq.read_metadata(chosen.newest("item_features")).num_rows
    with open_client(home, chosen) as client:
        online = client.read("user_features", rows["user_id"].to_pylist())
        assert np.array_equal(online.matrix(["trips"])[:, 0], rows["trips"].to_numpy())
        assert np.array_equal(
            online.arrays("history_item").values, rows["history_item"].combine_chunks().flatten().to_numpy()
        )


def test_what_is_online_already_is_not_written_again_and_an_older_day_never_over_a_newer(tmp_path):
    home, clean = home_of(tmp_path)
    newest = build_features(small_shop(), home, clean, quiet).handle
    older = build_features(small_shop(), home, replace(clean, as_of=on(63).isoformat()), quiet).handle
    assert materialize_features(small_shop(), home, newest, quiet).facts.registry_applied
    again = materialize_features(small_shop(), home, newest, quiet)
    assert (again.rows_out, again.facts.registry_applied) == (0, False)
    back = materialize_features(small_shop(), home, older, quiet)
    assert back.rows_out == 0
    assert "newer ones were online" in back.facts.words


def test_an_older_moment_that_was_asked_for_replaces_a_newer_one(tmp_path):
    home, clean = home_of(tmp_path)
    newest = build_features(small_shop(), home, clean, quiet).handle
    older = build_features(small_shop(), home, replace(clean, as_of=on(63).isoformat()), quiet).handle
    materialize_features(small_shop(), home, newest, quiet)

    back = materialize_features(small_shop(), home, older, quiet, asked=True)

    chosen = open_set(older)
    users = chosen.ids("user_features", chosen.days[-1]).to_pylist()
    assert back.rows_out == back.rows_in > 0
    assert current_set(home.features) == chosen
    with open_client(home, chosen) as client:
        assert client.entities("user_features").texts == sorted(users)
        assert client.stored_clock() == StoredClock(on(63), back_from=on(70))
    again = materialize_features(small_shop(), home, older, quiet, asked=True)
    assert again.rows_out == 0
    forward = materialize_features(small_shop(), home, newest, quiet)
    assert forward.rows_out == forward.rows_in


def test_feast_materialize_gives_equal_rows(tmp_path):
    home, clean = home_of(tmp_path)
    features = build_features(small_shop(), home, clean, quiet).handle
    materialize_features(small_shop(), home, features, quiet)
    chosen = open_set(features)
    ours = _packed(home, chosen)

    from feast import FeatureStore

    from feature_repo.repository import store_config

    other = replace(home, root=tmp_path / "other")
    other.feature_store.mkdir(parents=True)
    store = FeatureStore(config=store_config(other, home.feature_store / "registry.db", chosen.revision))
    assert store.project == PROJECT
    store.materialize(start_date=on(60), end_date=on(71))
    theirs = _packed(other, chosen)
    assert {key: len(row) for key, row in ours.items()} == {key: len(row) for key, row in theirs.items()}
    assert ours == theirs


def test_rows_of_old_definitions_stay_while_a_bundle_names_them(tmp_path):
    home, clean = home_of(tmp_path)
    features = build_features(small_shop(), home, clean, quiet).handle
    chosen = open_set(features)
    for revision in ("of a bundle", "of nobody"):
        with open_client(home, replace(chosen, revision=revision)) as client:
            write_newest(client, chosen)
    bundle = written(tmp_path, ranker_draft(shop=chosen.project, feature_revision="of a bundle"))
    publish_folder(home.models, bundle, bundle.sidecar)

    materialize_features(small_shop(), home, features, quiet)

    with open_client(home, chosen) as client:
        for view in VIEWS:
            assert client.revisions(view) == sorted([chosen.revision, "of a bundle"])


def _packed(home, chosen) -> dict[tuple[str, str], bytes]:
    """Every stored row but its header, by view and id."""
    found = {}
    with open_client(home, chosen) as client:
        for view in ("user_features", "item_features"):
            packed = packed_view(chosen, view)
            ids = pq.read_table(chosen.newest(view), columns=list(packed.join_keys)).column(0).to_pylist()
            rows = client.read(packed, ids)
            names = [field.name for field in packed.schema.fields if field.is_scalar]
            arrays = [field.name for field in packed.schema.fields if not field.is_scalar]
            found[view, "scalars"] = rows.matrix(names).tobytes()
            for name in arrays:
                found[view, name] = rows.arrays(name).values.tobytes()
    return found


def test_the_password_of_a_store_stands_where_it_was_put_only(tmp_path):
    home, clean = home_of(tmp_path / "home")
    features = build_features(small_shop(), home, clean, quiet).handle
    with redis_server(tmp_path) as url, Redis.from_url(url) as server:
        server.config_set("requirepass", "Pass77")
        home.online_url_file.write_text(url.replace("redis://", "redis://:Pass77@"))
        done = materialize_features(small_shop(), home, features, quiet)
        assert done.rows_out > 0
        assert done.handle.uri == url

        from feast import FeatureStore

        store = FeatureStore(fs_yaml_file=home.feature_store / "feature_store.yaml")
        answer = store.get_online_features(["user_features:trips"], [{"user_id": "u1"}]).to_dict()
        assert answer["trips"][0] > 0
    files = [file for file in tmp_path.rglob("*") if file.is_file() and b"Pass77" in file.read_bytes()]
    assert files == [home.online_url_file]


def test_the_words_of_products_are_online_and_written_again_where_they_changed(tmp_path):
    home, clean = home_of(tmp_path)
    chosen = open_set(build_features(small_shop(), home, clean, quiet).handle)
    say: list[str] = []
    assert put_rows(home, chosen, say.append)
    with open_client(home, chosen) as client:
        words = client.catalogue()
        assert unpack_catalogue(words) == catalogue_of(open_table(home.clean / "items").to_pyarrow_table())
        client.set_catalogue(b"older words")
        assert not put_rows(home, chosen, say.append), "the rows are there"
        assert client.catalogue() == words
        client.backend.delete([catalogue_key(PROJECT)])
        assert str(gap(home, client, chosen)).startswith("the words for its products are gone; ")
        assert not put_rows(home, chosen, say.append)
        assert gap(home, client, chosen) is None


def test_what_a_service_wrote_of_a_forgotten_user_goes_with_the_next_run(tmp_path):
    home, clean = home_of(tmp_path)
    features = build_features(small_shop(), home, clean, quiet).handle
    materialize_features(small_shop(), home, features, quiet)
    now = np.array([microseconds(on(70))])
    session = Session(np.array([3], np.int32), ("view",), now, np.ones(1, np.float32))
    with open_client(home, open_set(features)) as client:
        for revision in (client.revision, "another"):
            service = PackedClient(client.backend, project=PROJECT, revision=revision, clock=StoredClock(on(70)))
            write_view(service, session_view(), session_table({"late": session, "kept": session}))
        add_tombstone(home.tombstones, "late")
        materialize_features(small_shop(), home, features, quiet)
        for revision in (client.revision, "another"):
            service = PackedClient(client.backend, project=PROJECT, revision=revision, clock=StoredClock(on(70)))
            assert service.entities(session_view().name).texts == ["kept"]
