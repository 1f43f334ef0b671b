"""The golden journey in Python, which the other languages' journeys follow step by step.

Writes what it found as `result.json`; `bindings/journey/expected.json` is what must be found.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import time
from pathlib import Path

import tuquan as tq

WORK = Path(os.environ["TUQUAN_WORK"])
HUB = os.environ["TUQUAN_HUB"]
PHOTO = str(Path(os.environ["TUQUAN_JOURNEY"]) / "photo.png")
# 2026-05-04 08:00 +07:00, a Monday.
MORNING_MS = 1_777_856_400_000
MINUTE_MS = 60_000
found: dict[str, object] = {}


def path(name: str) -> str:
    return str(WORK / name)


def refused(call) -> str:
    """Returns the kind and code of the error that a call gives."""
    try:
        call()
    except tq.TuquanError as error:
        return f"{tq.kind_of(error)} {error.code}"
    return "no error"


async def refused_later(waiting) -> str:
    try:
        await waiting
    except tq.TuquanError as error:
        return f"{tq.kind_of(error)} {error.code}"
    return "no error"


def create(store, content, key=None) -> str:
    command = tq.Command.CREATE(draft=content, key=key)
    return store.apply(tq.new_request_id(), command).record


def incident(category, summary, place, minutes, **more):
    said = tq.Incident(
        category=category,
        summary=summary,
        place=place,
        t_occ=MORNING_MS + minutes * MINUTE_MS,
        **more,
    )
    return tq.Content.INCIDENT(said=said)


def edit(store, record, **values) -> None:
    store.apply(tq.new_request_id(), tq.Command.EDIT(record=record, set=values))


def pump(a, b) -> int:
    """Brings two stores together; returns how many entries went both ways."""
    one, other = a.meet(tq.Side.INITIATOR), b.meet(tq.Side.RESPONDER)
    to_other, to_one = b"", b""
    ended = [False, False]
    stats = None
    while not all(ended):
        if not ended[0]:
            stats = one.pump(to_one)
            to_one, to_other = b"", to_other + stats.outgoing
            ended[0] = stats.ended
            assert stats.failed is None, stats.failed
        if not ended[1]:
            answer = other.pump(to_other)
            to_other, to_one = b"", to_one + answer.outgoing
            ended[1] = answer.ended
            assert answer.failed is None, answer.failed
    return stats.stats.sent + stats.stats.received


class Lines(tq.LogSink):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, level, line) -> None:
        self.lines.append(line)


def opened(lines: Lines):
    """1. Version, log lines, two stores; one founds a team."""
    version = tq.version()
    found["version"] = [version.schema, version.protocol]
    tq.set_log_sink(tq.LogLevel.INFO, lines)
    a = tq.Store(path("a"), bytes([1]) * 32, fence=path("a.fence"))
    b = tq.Store(path("b"), bytes([2]) * 32, fence=path("b.fence"))
    founder = a.found()
    newcomer = b.init()
    found["founded"] = [founder.role, newcomer.space is None, a.device() == founder]
    return a, b


def logged(a):
    """2. A place by natural key, three incidents, a repeated tap."""
    place = tq.Place(name="Nhà B2", kind=tq.PlaceKind.BUILDING)
    place_id = create(a, tq.Content.PLACE(said=place), key="B2")
    found["natural"] = a.natural("place", "B2") == place_id
    request = tq.new_request_id()
    theft = incident(tq.Category.THEFT, "Mất trộm xe đạp ở nhà B2", place_id, 0)
    tap = tq.Command.CREATE(draft=theft, key=None)
    first = a.apply(request, tap)
    found["repeated_tap"] = a.apply(request, tap) == first
    noise = create(a, incident(tq.Category.NOISE, "Ồn ào sau 23 giờ", place_id, 1))
    urgent = tq.Priority.URGENT
    hazard = create(
        a, incident(tq.Category.HAZARD, "Ổ điện hành lang bị chập", place_id, 2, priority=urgent)
    )
    return first.record, noise, hazard


def read(a, theft, hazard):
    """3. Typed rows, keyset pages, search, counts, figures, codes."""
    first = a.list(tq.ListQuery(kind="incident", limit=2))
    second = a.list(tq.ListQuery(kind="incident", limit=2, after=first.next))
    rows = [row.fields.said for row in first.rows + second.rows]
    found["pages"] = [len(first.rows), len(second.rows), second.next is None]
    found["summaries"] = [said.summary for said in rows]
    found["urgent"] = [said.priority == tq.Priority.URGENT for said in rows]
    hits = a.search(tq.SearchQuery(text="trom xe"))
    found["search"] = [len(hits), hits[0].record == theft]
    counts = a.counts(tq.CountsQuery(kind="incident", by=["category"], by_week=True))
    found["counts"] = sorted([cell.by[0][0], cell.count] for cell in counts)
    window = tq.Window(from_ms=MORNING_MS, to_ms=MORNING_MS + 86_400_000)
    parts = a.figures(window, tq.Cut.CATEGORY)
    found["figures"] = [len(parts), sum(part.figures.new for part in parts)]
    code = a.code(hazard)
    found["code"] = [code.startswith("B2-"), a.find(code, 5) == [hazard]]
    whole = a.get(hazard)
    found["got"] = [whole.kind, whole.in_conflict, a.get("00" * 16) is None]


def joined(a, b):
    """4. Joining by codes: the digits are equal on both sides; then by frames."""
    options = tq.InvitationOptions(role=tq.Role.R2)
    given_up = a.invite(options)
    b.accept_invitation(given_up.code)
    b.give_up_joining()
    invitation = a.invite(options)
    request = b.accept_invitation(invitation.code)
    newcomer = a.take_request(request)
    revealed = b.take_reveal(newcomer.reveal)
    found["digits"] = [len(revealed.digits), revealed.digits == newcomer.digits]
    welcome, scanned = path("welcome.tqb"), path("scanned.tqb")
    admitted = a.admit(newcomer.invitation, tq.Compared.EQUAL, welcome)
    found["admitted"] = [admitted.rights == tq.Rights.WRITER, admitted.device == b.device().device]
    frames = a.frames_of(welcome)
    found["frames_missing"] = b.file_of(frames[1:], scanned) == [1]
    b.file_of(frames, scanned)
    found["joined"] = b.enter(scanned).entries > 0
    found["members"] = sorted([m.role, m.is_this] for m in b.members())


def merged(a, b, theft):
    """5. Both edit at once, meet through a pump; a person picks; all is equal."""
    pump(a, b)
    edit(a, theft, category=tq.Plain.TEXT("lostfound"))
    edit(b, theft, category=tq.Plain.TEXT("outsider"))
    found["pumped"] = pump(a, b) > 0
    conflicts = [row.conflicts["category"] for store in (a, b) for row in store.conflicts(10)]
    found["conflicts"] = sorted(sorted(value[0] for value in values) for values in conflicts)
    pick = tq.Command.RESOLVE(
        record=theft, field="category", pick=tq.Plain.TEXT("outsider"), reason="Đã xem camera"
    )
    b.apply(tq.new_request_id(), pick)
    pump(a, b)
    found["resolved"] = [len(a.conflicts(10)), a.get(theft).fields.said.category.name.lower()]
    found["identical"] = a.view_hash() == b.view_hash()
    found["held_elsewhere"] = a.held_elsewhere(theft) == [b.device().device]


async def at_the_hub(a, b, noise):
    """6. Through the hub: sync both ways, a photo, news, cancelling."""
    found["no_hub"] = await refused_later(a.sync_hub())
    a.set_hub(HUB)
    b.set_hub(HUB)
    applied = a.attach(tq.new_request_id(), noise, PHOTO)
    found["attached"] = applied.record == noise
    met = await a.sync_hub()
    found["given"] = [met.stats.sent_packs > 0, met.hub_older]
    found["at_hub"] = a.at_hub(noise)
    met = await b.sync_hub()
    found["fetched"] = met.stats.received_packs > 0
    photos = b.attachments(noise)
    state = b.save_photo(noise, photos[0].key, path("photo.out"))
    found["photo"] = [len(photos), state.bytes == os.path.getsize(path("photo.out"))]
    b.detach(tq.new_request_id(), noise, photos[0].key)
    found["detached"] = len(b.attachments(noise))
    await b.sync_hub()
    found["news"] = await a.wait_for_news(5)
    await a.sync_hub()
    found["no_photo"] = len(a.attachments(noise))
    await b.sync_hub()
    waiting = asyncio.ensure_future(refused_later(b.wait_for_news(50)))
    await asyncio.sleep(0.2)
    b.cancel_sync()
    found["cancelled"] = await waiting


async def joined_at_the_hub(a):
    """7. A third device joins through the hub's mailbox, and is removed again."""
    c = tq.Store(path("c"), bytes([3]) * 32)
    options = tq.InvitationOptions(role=tq.Role.R1, own_device=True, hub_url=HUB)
    invitation = a.invite(options)
    asking = asyncio.ensure_future(c.ask_to_join(invitation.code, 30))
    newcomer = await a.await_newcomer(invitation.code, 30)
    revealed = await asking
    admitted = await a.admit_at_hub(invitation.code, newcomer.invitation, tq.Compared.EQUAL)
    joined = await c.finish_joining(invitation.code, 30)
    found["joined_at_hub"] = [
        revealed.digits == newcomer.digits,
        admitted.rights == tq.Rights.WRITER,
        joined.entries > 0,
        c.device().person == a.device().person,
    ]
    a.set_role(admitted.device, tq.Rights.WRITER, tq.Role.R2)
    a.remove(admitted.device)
    found["removed"] = sorted(str(m.status).split(".")[-1].lower() for m in a.members())
    # What it writes before it hears of it is kept apart, shown, and accepted by a person.
    create(c, tq.Content.LOG_ENTRY(said=tq.LogEntry(note=["Viết sau khi bị gỡ"])))
    c.export_bundle(path("late.tqb"))
    report = a.import_bundle(path("late.tqb"))
    apart = a.quarantined()
    said = a.review(apart[0].log, 10)
    found["quarantined"] = [report.complete, len(apart), len(said) > 0]
    a.accept_quarantined(apart[0].log, apart[0].last)
    found["accepted"] = len(a.quarantined())
    c.close()


async def near(a, b):
    """8. On the local network: served, looked for, met by address. By card and bundle."""
    address = await a.serve_lan("127.0.0.1:0", True)
    found["phones"] = isinstance(await b.find_phones(1), list)
    stats = await b.meet_lan(address)
    found["met_lan"] = stats.received > 0
    a.cancel_sync()
    d = tq.Store(path("d"), bytes([4]) * 32)
    d.init()
    d.write_card(path("d.tqd"))
    found["granted"] = a.grant(path("d.tqd"), tq.Role.R3, path("grant.tqb")) == d.device().device
    found["by_card"] = d.import_bundle(path("grant.tqb")).joined
    d.close()


async def told(a):
    """9. What changed is told, and the stream ends when the store closes."""
    changes = [await a.next_change()]

    async def listen() -> None:
        async for change in a.changes():
            changes.append(change)

    listening = asyncio.ensure_future(listen())
    await asyncio.sleep(0)
    note = create(a, tq.Content.LOG_ENTRY(said=tq.LogEntry(note=["Đổi ca"])))
    found["truth"] = a.truth().only_here > 0
    found["reset"] = a.safe_to_reset().safe
    stats = a.stats()
    found["stats"] = [stats.conflicts, stats.damaged, stats.pending]
    checked = a.doctor()
    found["doctor"] = [checked.pages_ok, checked.views_ok]
    found["restored"] = a.take_restored()
    await asyncio.sleep(0.2)
    a.close()
    a.close()
    await asyncio.wait_for(listening, 10)
    told_of = [c.changed.record for c in changes if isinstance(c, tq.Change.RECORD)]
    found["told"] = note in told_of


def reopened(a, b, theft):
    """10. Closed, reopened, wrong key, busy, paused, bad calls, a panic that is caught."""
    found["after_close"] = refused(a.stats)
    found["wrong_key"] = refused(lambda: tq.Store(path("a"), bytes([9]) * 32))
    found["short_key"] = refused(lambda: tq.Store(path("a"), b"short"))
    again = tq.Store(path("a"), bytes([1]) * 32, fence=path("a.fence"))
    found["reopened"] = again.get(theft).fields.said.summary
    found["busy"] = refused(lambda: tq.Store(path("a"), bytes([1]) * 32))
    closing = tq.Command.TRANSITION(record=theft, to="closed")
    found["invalid"] = refused(lambda: again.apply(tq.new_request_id(), closing))
    found["bad_id"] = refused(lambda: again.get("no id"))
    b.pause()
    b.pause()
    found["paused"] = refused(b.device)
    b.resume()
    found["resumed"] = b.device().role
    found["panic"] = refused(b.provoke_panic)
    found["after_panic"] = refused(b.device)
    b.pause()
    b.resume()
    found["mended"] = b.device().role
    again.close()
    options = tq.OpenOptions(dir=path("a"), key=bytes([1]) * 32, fence=path("a.fence"))
    salvaged = tq.salvage(options)
    found["salvaged"] = salvaged.recovered == salvaged.of
    b.close()


async def journey() -> None:
    lines = Lines()
    a, b = opened(lines)
    theft, noise, hazard = logged(a)
    read(a, theft, hazard)
    joined(a, b)
    merged(a, b, theft)
    await at_the_hub(a, b, noise)
    await joined_at_the_hub(a)
    await near(a, b)
    await told(a)
    reopened(a, b, theft)
    found["log_lines"] = "opened" in lines.lines and "closed" in lines.lines


def cost() -> None:
    """Prints what crossing costs, in microseconds."""

    def each(call, times: int) -> float:
        call()
        best = float("inf")
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(times):
                call()
            best = min(best, (time.perf_counter() - start) / times * 1e6)
        return best

    with tq.Store(path(f"cost-{secrets.token_hex(4)}"), bytes([5]) * 32) as store:
        store.found()
        for number in range(60):
            create(store, incident(tq.Category.NOISE, f"Ồn ào lần {number}", None, number))
        fifty, one = (tq.ListQuery(kind="incident", limit=n) for n in (50, 1))
        list50 = each(lambda: store.list(fifty), 100)
        list1 = each(lambda: store.list(one), 100)
        tap = each(lambda: create(store, incident(tq.Category.NOISE, "Ồn ào", None, 0)), 50)
        figures = {
            "language": "python",
            "empty_us": round(each(tq.version, 2_000), 2),
            "list50_us": round(list50, 1),
            "row_us": round((list50 - list1) / 49, 2),
            "tap_us": round(tap, 1),
        }
        print(json.dumps(figures))


if __name__ == "__main__":
    if "--cost" in sys.argv:
        cost()
    else:
        asyncio.run(journey())
        with open(path("result.json"), "w", encoding="utf-8") as out:
            json.dump(found, out, ensure_ascii=False, indent=2)
