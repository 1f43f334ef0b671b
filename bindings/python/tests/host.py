"""Founds a team, lets a program in another language in through a hub, and syncs with it; prints the
invitation, the digits, the note that the other wrote, and the hash of all that is here.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import tuquan as tq

HUB = os.environ["TUQUAN_HUB"]


async def main() -> None:
    folder = Path(os.environ["TUQUAN_WORK"]) / "host"
    with tq.Store(str(folder), bytes([6]) * 32) as store:
        store.found()
        said = tq.Incident(category=tq.Category.HAZARD, summary="Viết bằng Python")
        command = tq.Command.CREATE(draft=tq.Content.INCIDENT(said=said))
        store.apply(tq.new_request_id(), command)
        store.set_hub(HUB)
        await store.sync_hub()
        invitation = store.invite(tq.InvitationOptions(role=tq.Role.R2, hub_url=HUB))
        print("code", invitation.code, flush=True)
        newcomer = await store.await_newcomer(invitation.code, 30)
        print("digits", newcomer.digits, flush=True)
        await store.admit_at_hub(invitation.code, newcomer.invitation, tq.Compared.EQUAL)
        rows: list = []
        for _ in range(10):
            await store.wait_for_news(5)
            await store.sync_hub()
            rows = store.list(tq.ListQuery(kind="log_entry")).rows
            if rows:
                break
        print("note", store.get(rows[0].record).fields.said.note[0])
        print("hash", store.view_hash())


asyncio.run(main())
