"""What a shared store costs and where it ends: many journals of others, stores that may be read
and not written to, leases that nobody asks about any more."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import obstore
import pytest
from obstore.exceptions import PermissionDeniedError

from modeldiff.changes import Shard
from modeldiff.checkpoints.stores.client import Retries
from modeldiff.cli import main
from modeldiff.comparison import Comparison
from modeldiff.errors import ResultError
from modeldiff.results import join_shards, list_results, load_result, run_diff, run_shard
from modeldiff.results.shared import lease as leases
from modeldiff.results.shared import objects as shared
from modeldiff.results.shared import rest
from modeldiff.results.shared.lease import Lease
from modeldiff.results.shared.objects import SharedObjects, shared_objects
from modeldiff.results.store import measuring_alone
from modeldiff.results.store.measuring_alone import SharedJournal
from tests.support import s3_server
from tests.support.results import cache_at

Log = pytest.LogCaptureFixture
Patch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server.s3_server() as address:
        yield address


@pytest.fixture
def store(server: str, tmp_path: Path, monkeypatch: Patch) -> SharedObjects:
    """The store that is shared, below a prefix of this test's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, text in s3_server.environment(server).items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("MODELDIFF_SHARED", f"s3://{s3_server.BUCKET}/limits/{tmp_path.name}")
    shared._objects.cache_clear()
    objects = shared_objects()
    assert objects is not None
    return objects


@pytest.fixture
def comparison() -> Comparison:
    return Comparison.open("demo:base", "demo:tuned")


def measure_shards(comparison: Comparison, cache: Path, *numbers: int, count: int) -> None:
    with cache_at(cache):
        for number in numbers:
            run_shard(comparison, Shard(number=number, count=count))


def names(store: SharedObjects, folder: str = "") -> list[str]:
    return [each.name for each in store.below(folder)]


class _Listed:
    """The folders that are listed, and how many objects came."""

    def __init__(self, monkeypatch: Patch) -> None:
        self.counts: dict[str, int] = {}
        below = SharedObjects.below

        def counted(objects: SharedObjects, folder: str) -> Any:
            listed = below(objects, folder)
            self.counts[folder] = len(listed)
            return listed

        monkeypatch.setattr(SharedObjects, "below", counted)


class TestManyJournals:
    def test_a_join_finds_its_shards_and_lists_no_other_diffs(
        self, store: SharedObjects, comparison: Comparison, tmp_path: Path, monkeypatch: Patch
    ) -> None:
        for other in "0123456789abcdef":
            for which in ("whole", "shard-1-of-3"):
                store.create(f"journals/{other * 64}/{which}/0badf00d/00000001", b"old")
            store.create(f"journals/{other * 64}.shard-1-of-3/0badf00d/00000001", b"older")
        measure_shards(comparison, tmp_path / "one", 1, 2, count=2)
        for strange in ("shard-0-of-2", "shard-9-of-2", "shard-01-of-2", "etc", "whole"):
            store.create(f"journals/{comparison.key}/{strange}/0badf00d/00000001", b"strange")
        monkeypatch.setattr(shared, "_MOST_LISTED", 16)  # fewer than the others have
        listed = _Listed(monkeypatch)
        with cache_at(tmp_path / "two"):
            join_shards(comparison)
        assert max(listed.counts.values()) < 16
        assert not [each for each in names(store, "journals/") if comparison.key in each]
        assert load_result(comparison.key) is not None

    def test_all_journals_of_a_diff_go_in_one_request(
        self, store: SharedObjects, comparison: Comparison, tmp_path: Path, monkeypatch: Patch
    ) -> None:
        measure_shards(comparison, tmp_path / "one", *range(1, 9), count=8)
        asked: list[Any] = []
        delete = obstore.delete

        def counted(client: Any, paths: Any) -> None:
            asked.append(paths)
            delete(client, paths)

        monkeypatch.setattr(obstore, "delete", counted)
        with cache_at(tmp_path / "two"):
            join_shards(comparison)
        journals = [each for each in asked if "/journals/" in each[0]]
        assert [len(each) for each in journals] == [8]

    def test_names_that_are_not_there_keep_no_other(
        self, store: SharedObjects, monkeypatch: Patch
    ) -> None:
        for number in range(3):
            store.create(f"leases/{number}.json", b"{}")
        delete = obstore.delete

        def one_by_one(client: Any, paths: list[str] | str) -> None:
            """As stores that know no request for many: the first that is missing ends it."""
            for path in [paths] if isinstance(paths, str) else paths:
                if path.endswith("nobody.json"):
                    raise FileNotFoundError(path)
                delete(client, path)

        monkeypatch.setattr(obstore, "delete", one_by_one)
        store.delete("leases/0.json", "leases/nobody.json", "leases/1.json", "leases/2.json")
        assert names(store) == []


class TestWhatIsSaid:
    def test_a_join_that_cannot_ask_the_store_sends_nobody_to_measure(
        self, store: SharedObjects, comparison: Comparison, tmp_path: Path, monkeypatch: Patch
    ) -> None:
        measure_shards(comparison, tmp_path / "one", 1, 2, count=2)
        monkeypatch.setattr(shared, "_RETRIES", Retries(0, 1, 1, 1))
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        shared._objects.cache_clear()
        with cache_at(tmp_path / "two"), pytest.raises(ResultError) as error:
            join_shards(comparison)
        assert "did not give all that it has" in error.value.message
        assert "--shard" not in error.value.hint
        # What lies here is enough where it is whole.
        with cache_at(tmp_path / "one"):
            assert len(join_shards(comparison).changes) == len(comparison.pairs)

    def test_a_shard_that_another_machine_took_over_does_not_end_well(
        self, store: SharedObjects, comparison: Comparison, tmp_path: Path, monkeypatch: Patch
    ) -> None:
        shard = Shard(number=1, count=2)
        taken = SharedJournal.take

        def taken_over(journal: SharedJournal, waiting: Any) -> None:
            taken(journal, waiting)
            where = f"journals/{comparison.key}/shard-1-of-2/{form}/00000001"
            assert store.create(where, b"another's") is not None

        measure_shards(comparison, tmp_path / "one", 1, count=2)
        form = names(store, "journals/")[0].split("/")[3]
        store.delete(*names(store))
        monkeypatch.setattr(SharedJournal, "take", taken_over)
        with cache_at(tmp_path / "two"), pytest.raises(ResultError, match="this machine alone"):
            run_shard(comparison, shard)

    def test_a_shard_is_put_there_if_the_store_answers_at_its_end(
        self, store: SharedObjects, comparison: Comparison, tmp_path: Path, monkeypatch: Patch
    ) -> None:
        take = SharedJournal.take
        asked: list[SharedJournal] = []

        def at_last(journal: SharedJournal, waiting: Any) -> None:
            asked.append(journal)
            if len(asked) == 1:
                raise shared.SharedStoreError("The shared store does not answer.", hint="Wait.")
            take(journal, waiting)

        monkeypatch.setattr(SharedJournal, "take", at_last)
        measure_shards(comparison, tmp_path / "one", 1, count=2)
        assert len(asked) == 2
        assert len(names(store, "journals/")) == 1 and not names(store, "leases/")

    def test_a_shard_that_is_measured_was_not_interrupted(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shard = ["diff", "demo:base", "demo:tuned", "--shard", "1/9"]
        with cache_at(tmp_path):
            assert main([*shard, "--quiet"]) == 0
            capsys.readouterr()
            assert main(shard) == 0
            assert main([*shard[:-1], "900/1000"]) == 0
        captured = capsys.readouterr()
        assert "interrupted" not in captured.err and "All is measured already: " in captured.err
        assert "\n0 tensors\n" in captured.out


def refuse_writing(monkeypatch: Patch) -> None:
    """From now on the store is one that this machine may read alone."""

    def refused(*arguments: object, **options: object) -> None:
        raise PermissionDeniedError("AccessDenied")

    monkeypatch.setattr(obstore, "put", refused)
    monkeypatch.setattr(obstore, "delete", refused)


class TestReadOnly:
    def test_who_may_not_write_reads_what_others_measured(
        self,
        store: SharedObjects,
        comparison: Comparison,
        tmp_path: Path,
        monkeypatch: Patch,
        caplog: Log,
    ) -> None:
        other = Comparison.open("demo:base", "demo:lora")
        with cache_at(tmp_path / "one"):
            run_diff(other)
        measure_shards(comparison, tmp_path / "one", 1, 2, count=2)
        refuse_writing(monkeypatch)
        with cache_at(tmp_path / "two"):
            joined = join_shards(comparison)
            assert load_result(other.key) is not None
            assert len(joined.changes) == len(comparison.pairs)
            with pytest.raises(shared.SharedStoreError, match="refuses to be written to"):
                store.delete("results/x")
        said = [each.getMessage() for each in caplog.records if "shared store" in each.getMessage()]
        assert len(said) == 1 and "refuses to be written to" in said[0]

    def test_a_refusal_is_tried_again_later(self, store: SharedObjects, monkeypatch: Patch) -> None:
        with monkeypatch.context() as patched:
            refuse_writing(patched)
            with pytest.raises(shared.SharedStoreError):
                store.create("leases/a.json", b"{}")
        with pytest.raises(shared.SharedStoreError) as resting:
            store.create("leases/a.json", b"{}")
        assert not resting.value.is_new and store.get("leases/a.json", 9) is None
        later = SimpleNamespace(monotonic=partial(float, time.monotonic() + 21))
        monkeypatch.setattr(rest, "time", later)
        assert store.create("leases/a.json", b"{}") is not None


class TestForeignNames:
    """The library takes no list with a name in it such as ``a//b``."""

    def test_lists_fail_for_one_folder_and_nothing_else_does(
        self, server: str, store: SharedObjects, tmp_path: Path, monkeypatch: Patch, caplog: Log
    ) -> None:
        comparison = Comparison.open("demo:base", "demo:tuned")
        folder = store.address.removeprefix(f"s3://{s3_server.BUCKET}/")
        s3_server.put_for_all(server, f"{folder}/results//strange", b"x")
        s3_server.put_for_all(server, f"{folder}/journals/", b"")  # what consoles call a folder
        measure_shards(comparison, tmp_path / "one", 1, 2, count=2)
        with cache_at(tmp_path / "two"):
            assert list_results() == list_results() == ()
            join_shards(comparison)
            assert [each.key for each in list_results()] == [comparison.key]
        with cache_at(tmp_path / "three"):
            assert load_result(comparison.key) is not None
        said = [each.getMessage() for each in caplog.records if "shared store" in each.getMessage()]
        assert len(said) == 1 and "below results/ whose name can't be read" in said[0]
        # Neither the network nor the credentials are what is wrong.
        assert "the store's own tools" in said[0] and "credentials" not in said[0]

    def test_who_may_not_list_reads_what_is_named(
        self, store: SharedObjects, monkeypatch: Patch
    ) -> None:
        def refused(*arguments: object, **options: object) -> None:
            raise PermissionDeniedError("AccessDenied")

        monkeypatch.setattr(obstore, "list", refused)
        with pytest.raises(shared.SharedStoreError, match="refuses to be listed"):
            store.below("results/")
        assert store.create("results/x", b"{}") and store.get("results/x", 9) is not None


class TestPatience:
    def test_one_that_takes_connections_and_says_nothing_is_not_asked_for_a_result(
        self, store: SharedObjects, tmp_path: Path, monkeypatch: Patch, caplog: Log
    ) -> None:
        def patient(*arguments: object, **options: object) -> None:
            raise AssertionError("a large object is waited for")

        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"http://127.0.0.1:{silent.getsockname()[1]}"
            monkeypatch.setenv("AWS_ENDPOINT_URL", address)
            monkeypatch.setattr(shared, "_RETRIES", Retries(0, 1, 0.5, 0.5))
            monkeypatch.setattr(obstore, "get", patient)
            shared._objects.cache_clear()
            with cache_at(tmp_path / "one"):
                assert load_result("a" * 64) is None
        assert "does not answer as it should" in caplog.text

    def test_one_that_answers_is_asked_once_for_each_piece(
        self, store: SharedObjects, comparison: Comparison, tmp_path: Path, monkeypatch: Patch
    ) -> None:
        measure_shards(comparison, tmp_path / "one", *range(1, 9), count=8)
        heads: list[str] = []
        head = obstore.head

        def counted(client: Any, path: str) -> Any:
            heads.append(path)
            return head(client, path)

        monkeypatch.setattr(obstore, "head", counted)
        monkeypatch.setattr(shared, "_MOMENT_SECONDS", 1000.0)
        with cache_at(tmp_path / "two"):
            join_shards(comparison)
        assert len(heads) <= 1


class TestWaiting:
    """For a lease that another machine has, while the store fails."""

    @pytest.fixture
    def journal(self, store: SharedObjects, tmp_path: Path, monkeypatch: Patch) -> SharedJournal:
        monkeypatch.setattr(measuring_alone, "_SECONDS_BETWEEN_LOOKS", 0.0)
        return SharedJournal(store, tmp_path / f"{'a' * 64}.journal", "a" * 64)

    def answers(self, monkeypatch: Patch, *answers: bool | None) -> list[bool | None]:
        """What the store says of the lease, one after the other; None where it fails."""
        left = [*answers]

        def take(lease: Lease) -> bool:
            answer = left.pop(0)
            if answer is None:
                raise shared.SharedStoreError("The shared store does not answer.", hint="Wait.")
            return answer

        monkeypatch.setattr(Lease, "take", take)
        return left

    def test_a_moment_is_waited_for(self, journal: SharedJournal, monkeypatch: Patch) -> None:
        left = self.answers(monkeypatch, False, None, None, False, None, True)
        journal.take(lambda: None)
        journal.end()
        assert not left

    def test_a_store_that_never_answered_is_gone_on_without(
        self, journal: SharedJournal, monkeypatch: Patch
    ) -> None:
        left = self.answers(monkeypatch, None, True)
        with pytest.raises(shared.SharedStoreError):
            journal.take(lambda: None)
        assert left == [True]

    def test_one_that_is_silent_for_longer_is_too(
        self, journal: SharedJournal, monkeypatch: Patch
    ) -> None:
        monkeypatch.setattr(leases, "SECONDS_TO_EXPIRY", -1.0)
        left = self.answers(monkeypatch, False, None, True)
        with pytest.raises(shared.SharedStoreError):
            journal.take(lambda: None)
        assert left == [True]


class TestSightings:
    def test_leases_that_nobody_asks_about_make_room(
        self, store: SharedObjects, monkeypatch: Patch
    ) -> None:
        now = 0.0
        monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: now))
        monkeypatch.setattr(leases, "MOST_SIGHTINGS", 8)
        monkeypatch.setattr(leases, "SIGHTINGS", leases._Sightings())
        held = [f"pair-{number}" for number in range(20)]
        assert all(Lease(store, name).take() for name in held)
        for name in held:
            assert not Lease(store, name).take()
            assert not Lease(store, held[0]).take()  # one that is waited for all the time
        assert len(leases.SIGHTINGS) == 8
        now = leases.SECONDS_TO_EXPIRY
        assert Lease(store, held[0]).take() and Lease(store, held[-1]).take()
        assert not Lease(store, held[1]).take()  # its minute begins now
        now *= 2
        assert Lease(store, held[1]).take()
        assert len(leases.SIGHTINGS) < 8
