import asyncio
import secrets
import sys

import tuquan as tq


async def main(folder: str, hub: str) -> None:
    # On a phone the keystore keeps these 32 bytes; whoever has them can read the store.
    key = secrets.token_bytes(32)
    with tq.Store(f"{folder}/first", key, fence=f"{folder}/first.fence") as store:
        store.found()
        said = tq.Incident(category=tq.Category.HAZARD, summary="Ổ điện hành lang bị chập")
        command = tq.Command.CREATE(draft=tq.Content.INCIDENT(said=said))
        # When this returns, the note is on the disk.
        note = store.apply(tq.new_request_id(), command)
        for row in store.list(tq.ListQuery(kind="incident")).rows:
            print(row.fields.said.summary)
        store.set_hub(hub)
        await store.sync_hub()
        print("at the hub:", store.at_hub(note.record))


asyncio.run(main(*sys.argv[1:]))
