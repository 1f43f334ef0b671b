//! What every storage has to do, whatever it is made of: a new one adds a test at the end that
//! gives its own to [`everything`].

use tuquan_core::error::Kind;
use tuquan_core::ids::{DeviceKey, Digest, LogId, PersonId, SpaceId};
use tuquan_core::log::pack::Extent;
use tuquan_hub::storage::sqlite::Sqlite;
use tuquan_hub::storage::{
    Ack, Bearer, Erasable, Kept, NewPack, Nonce, Quota, Slot, Storage, Token,
};
use tuquan_tests::phone::Folder;

const WIDE: Quota = Quota { space: 1 << 30, share: 1 << 30 };
const SPACE: SpaceId = SpaceId([1; 16]);
const OTHER: SpaceId = SpaceId([2; 16]);
const DEVICE: DeviceKey = DeviceKey([3; 32]);

fn bearer(number: u8) -> Bearer {
    Bearer { device: DeviceKey([number; 32]), person: PersonId([number; 16]) }
}

fn pack(number: u8, open: bool, len: usize) -> NewPack {
    let ranges = vec![Extent { log: LogId([number; 16]), first: 5, count: u64::from(number) }];
    NewPack { id: Digest([number; 32]), open, ranges, bytes: vec![number; len] }
}

fn id(number: u8) -> Digest {
    Digest([number; 32])
}

async fn everything(storage: &dyn Storage) {
    packs_are_kept_listed_and_given_back(storage).await;
    quotas_bound_a_space_and_a_share_and_nothing_of_a_batch_over_them_is_kept(storage).await;
    reports_and_drops(storage).await;
    erased_things_do_not_come_back(storage).await;
    the_highest_acknowledgement_stays(storage).await;
    nonces_and_tokens(storage).await;
    slots(storage).await;
}

async fn packs_are_kept_listed_and_given_back(storage: &dyn Storage) {
    assert_eq!(storage.version(SPACE).await.unwrap(), None);
    assert_eq!(storage.spaces().await.unwrap(), []);
    let first = vec![pack(9, true, 10), pack(1, false, 20)];
    let kept = storage.put_packs(SPACE, first.clone(), None, WIDE).await.unwrap();
    assert_eq!(kept, [Kept::New, Kept::New]);
    let before = storage.version(SPACE).await.unwrap().unwrap();
    let more = vec![pack(1, false, 20), pack(2, false, 30), pack(2, false, 30)];
    let kept = storage.put_packs(SPACE, more, Some(bearer(4)), WIDE).await.unwrap();
    assert_eq!(kept, [Kept::Known, Kept::New, Kept::Known]);
    let after = storage.version(SPACE).await.unwrap().unwrap();
    assert!(after.change > before.change && after.last > before.last);
    assert_eq!((after.control, before.packs, after.packs), (before.control, 2, 3));
    let (version, mut ids) = storage.ids(SPACE).await.unwrap();
    ids.sort();
    assert_eq!((version, ids), (after, vec![id(1), id(2), id(9)]));

    let listed = storage.list(SPACE, 0, 2).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.id).collect::<Vec<_>>(), [id(9), id(1)]);
    assert_eq!((listed[0].open, listed[0].size, &listed[0].ranges), (true, 10, &first[0].ranges));
    let rest = storage.list(SPACE, listed[1].seq, 9).await.unwrap();
    assert_eq!(rest.iter().map(|row| (row.id, row.seq)).collect::<Vec<_>>(), [(id(2), after.last)]);

    let wanted = vec![id(2), id(7), id(1), id(9)];
    let all = storage.packs(SPACE, wanted.clone(), 1_000).await.unwrap();
    assert_eq!(all, [vec![2; 30], vec![1; 20], vec![9; 10]]);
    let some = storage.packs(SPACE, wanted.clone(), 50).await.unwrap();
    assert_eq!(some, [vec![2; 30], vec![1; 20]]);
    assert_eq!(storage.packs(SPACE, wanted, 1).await.unwrap(), [vec![2; 30]], "at least one");
    assert_eq!(storage.open_packs(SPACE).await.unwrap(), (after, vec![vec![9; 10]]));
    // Another space has nothing of it, and may have the same.
    assert_eq!(storage.packs(OTHER, vec![id(1)], 100).await.unwrap(), Vec::<Vec<u8>>::new());
    let kept = storage.put_packs(OTHER, vec![pack(1, false, 20)], None, WIDE).await.unwrap();
    assert_eq!(kept, [Kept::New]);
    assert_eq!(storage.spaces().await.unwrap(), [SPACE, OTHER]);
    let usage = storage.usage().await.unwrap();
    assert_eq!((usage.spaces, usage.packs, usage.pack_bytes), (2, 4, 80));
    assert_eq!(storage.epoch().await.unwrap(), storage.epoch().await.unwrap());
}

async fn quotas_bound_a_space_and_a_share_and_nothing_of_a_batch_over_them_is_kept(
    storage: &dyn Storage,
) {
    let space = SpaceId([10; 16]);
    let quota = Quota { space: 100, share: 60 };
    let put = |number, bearer, len| {
        storage.put_packs(space, vec![pack(number, false, len)], bearer, quota)
    };
    put(1, Some(bearer(1)), 60).await.unwrap();
    let over = put(2, Some(bearer(1)), 1).await.unwrap_err();
    assert_eq!(over.kind, Kind::Full);
    let batch = vec![pack(3, false, 10), pack(4, false, 31)];
    let over = storage.put_packs(space, batch, Some(bearer(2)), quota).await.unwrap_err();
    assert_eq!(over.kind, Kind::Full);
    assert_eq!(storage.ids(space).await.unwrap().1, [id(1)]);
    put(3, Some(bearer(2)), 40).await.unwrap();
    assert_eq!(put(5, None, 1).await.unwrap_err().kind, Kind::Full);
    let chunk = storage.put_chunk(space, id(1), vec![0], bearer(3), quota).await;
    assert_eq!(chunk.unwrap_err().kind, Kind::Full);
    assert_eq!(storage.chunk(space, id(1)).await.unwrap(), None);
    // What goes makes room.
    storage.erase(space, Erasable::Packs, vec![id(1)], None).await.unwrap();
    put(2, Some(bearer(1)), 60).await.unwrap();
}

async fn reports_and_drops(storage: &dyn Storage) {
    let space = SpaceId([11; 16]);
    let packs = vec![pack(1, false, 10), pack(2, false, 10), pack(3, true, 10)];
    storage.put_packs(space, packs, Some(bearer(1)), WIDE).await.unwrap();
    let all = vec![id(1), id(2), id(3), id(77)];
    storage.put_opened(space, all, PersonId([5; 16]), 100).await.unwrap();
    storage.put_opened(space, vec![id(1)], PersonId([5; 16]), 200).await.unwrap();
    storage.put_opened(space, vec![id(1)], PersonId([6; 16]), 300).await.unwrap();
    let opened = storage.opened(space).await.unwrap();
    let found: Vec<_> = opened.iter().map(|pack| (pack.id, pack.by.clone())).collect();
    let (five, six) = (PersonId([5; 16]), PersonId([6; 16]));
    assert_eq!(found[0], (id(1), vec![(five, 100), (six, 300)]));
    assert_eq!(found[1], (id(2), vec![(five, 100)]));
    assert_eq!((found.len(), opened[0].bearer), (2, Some(bearer(1).person)));
    assert!(!storage.drop_covered(space, id(1), id(88)).await.unwrap(), "not by what is gone");
    assert!(!storage.drop_covered(space, id(1), id(1)).await.unwrap(), "not by itself");
    let before = storage.version(space).await.unwrap().unwrap();
    assert!(storage.drop_covered(space, id(1), id(2)).await.unwrap());
    assert!(!storage.drop_covered(space, id(1), id(2)).await.unwrap(), "not twice");
    let after = storage.version(space).await.unwrap().unwrap();
    assert!(after.change > before.change && after.packs == 2 && after.last == before.last);
    // It may come again, and then nobody has opened it yet.
    let again = vec![pack(1, false, 10)];
    assert_eq!(storage.put_packs(space, again, None, WIDE).await.unwrap(), [Kept::New]);
    assert!(
        storage
            .opened(space)
            .await
            .unwrap()
            .iter()
            .all(|pack| pack.id != id(1) || pack.by.is_empty())
    );
    assert!(storage.version(space).await.unwrap().unwrap().last > after.last);
}

async fn erased_things_do_not_come_back(storage: &dyn Storage) {
    let space = SpaceId([12; 16]);
    let packs = vec![pack(1, false, 10), pack(2, false, 10), pack(3, true, 10)];
    storage.put_packs(space, packs.clone(), Some(bearer(1)), WIDE).await.unwrap();
    let ids = || vec![id(1), id(2), id(3), id(4)];
    let by_other = storage.erase(space, Erasable::Packs, ids(), Some(bearer(2).person)).await;
    assert_eq!(by_other.unwrap(), 0);
    let by_bearer =
        storage.erase(space, Erasable::Packs, vec![id(1)], Some(bearer(1).person)).await;
    assert_eq!(by_bearer.unwrap(), 1);
    let by_admin = storage.erase(space, Erasable::Packs, ids(), None).await;
    assert_eq!(by_admin.unwrap(), 1, "open packs stay");
    let kept = storage.put_packs(space, packs, Some(bearer(1)), WIDE).await.unwrap();
    assert_eq!(kept, [Kept::Erased, Kept::Erased, Kept::Known]);
    let later = storage.put_packs(space, vec![pack(4, false, 1)], None, WIDE).await.unwrap();
    assert_eq!(later, [Kept::Erased], "an admin may name what has not come yet");

    let put = |number, by| storage.put_chunk(space, id(number), vec![number], bearer(by), WIDE);
    assert_eq!(put(20, 1).await.unwrap(), Kept::New);
    assert_eq!(put(20, 2).await.unwrap(), Kept::Known);
    assert_eq!(put(21, 2).await.unwrap(), Kept::New);
    let names = vec![id(20), id(21), id(22)];
    assert_eq!(storage.missing_chunks(space, names.clone()).await.unwrap(), [id(22)]);
    let own = storage.erase(space, Erasable::Chunks, names, Some(bearer(2).person)).await;
    assert_eq!(own.unwrap(), 1);
    assert_eq!(storage.chunk(space, id(20)).await.unwrap(), Some(vec![20]));
    assert_eq!(storage.chunk(space, id(21)).await.unwrap(), None);
    assert_eq!(put(21, 2).await.unwrap(), Kept::Erased);
    assert_eq!(put(22, 2).await.unwrap(), Kept::New, "of others only what was there");
}

async fn the_highest_acknowledgement_stays(storage: &dyn Storage) {
    let space = SpaceId([13; 16]);
    let ack = |log: u8, counter: u64| Ack {
        device: DEVICE,
        log: (log > 0).then_some(LogId([log; 16])),
        counter,
        hash: id(log * 10 + u8::try_from(counter).unwrap()),
        bytes: vec![log, u8::try_from(counter).unwrap()],
    };
    assert!(storage.put_ack(space, ack(1, 2), 1).await.unwrap());
    assert!(!storage.put_ack(space, ack(1, 1), 2).await.unwrap());
    assert!(!storage.put_ack(space, ack(1, 2), 3).await.unwrap());
    assert!(storage.put_ack(space, ack(0, 1), 4).await.unwrap());
    assert!(storage.put_ack(space, ack(1, 3), 5).await.unwrap());
    let mut hashes = storage.ack_hashes(space).await.unwrap();
    hashes.sort();
    assert_eq!(hashes, [id(1), id(13)]);
    let mut acks = storage.acks(space).await.unwrap();
    acks.sort();
    assert_eq!(acks, [[0, 1], [1, 3]]);
    for log in 2..20 {
        storage.put_ack(space, ack(log, 1), 10 + i64::from(log)).await.unwrap();
    }
    assert!(storage.acks(space).await.unwrap().len() < 10, "logs of one device are bounded");
    assert_eq!(storage.acks(OTHER).await.unwrap(), Vec::<Vec<u8>>::new());
}

async fn nonces_and_tokens(storage: &dyn Storage) {
    for number in [1, 2, 3] {
        storage.put_nonce([number; 32], SPACE, DEVICE, 60).await.unwrap();
    }
    let take =
        |number, space, device, now_ms| storage.take_nonce([number; 32], space, device, now_ms);
    assert_eq!(take(1, OTHER, DEVICE, 1).await.unwrap(), Nonce::Unknown);
    assert_eq!(take(1, SPACE, DeviceKey([9; 32]), 1).await.unwrap(), Nonce::Unknown);
    assert_eq!(take(1, SPACE, DEVICE, 59).await.unwrap(), Nonce::Fresh);
    assert_eq!(take(1, SPACE, DEVICE, 59).await.unwrap(), Nonce::Used);
    assert_eq!(take(2, SPACE, DEVICE, 60).await.unwrap(), Nonce::Unknown);
    let token = Token { space: SPACE, device: DEVICE, expires_ms: 100 };
    storage.put_token([7; 32], token).await.unwrap();
    assert_eq!(storage.token([7; 32]).await.unwrap(), Some(token));
    assert_eq!(storage.token([8; 32]).await.unwrap(), None);
    storage.purge(99).await.unwrap();
    assert_eq!(storage.token([7; 32]).await.unwrap(), Some(token));
    assert_eq!(take(1, SPACE, DEVICE, 99).await.unwrap(), Nonce::Used, "remembered for a while");
    storage.purge(10_000_000).await.unwrap();
    assert_eq!(storage.token([7; 32]).await.unwrap(), None);
    assert_eq!(take(3, SPACE, DEVICE, 1).await.unwrap(), Nonce::Unknown);
}

async fn slots(storage: &dyn Storage) {
    let slot = |number| Slot { mailbox: [1; 16], number };
    let put = |number, bytes: &[u8], now_ms, max| {
        storage.put_slot(slot(number), bytes.to_vec(), now_ms, now_ms + 100, max)
    };
    assert_eq!(put(1, b"abc", 0, 5).await.unwrap(), Some(true));
    assert_eq!(put(1, b"abc", 0, 5).await.unwrap(), Some(true));
    assert_eq!(put(1, b"x", 0, 5).await.unwrap(), Some(false));
    assert_eq!(put(2, b"xyz", 0, 5).await.unwrap(), None);
    assert_eq!(storage.slot(slot(1), 99).await.unwrap(), Some(b"abc".to_vec()));
    assert_eq!(storage.slot(slot(1), 100).await.unwrap(), None);
    assert_eq!(storage.slot(slot(2), 0).await.unwrap(), None);
    assert_eq!(put(1, b"again", 100, 5).await.unwrap(), Some(true), "what is old makes room");
}

#[tokio::test]
async fn sqlite_does_what_a_storage_has_to_do() {
    let folder = Folder::new("storage");
    let storage = Sqlite::open(folder.path()).unwrap();
    everything(&storage).await;
    // All of it is there for the next process too.
    let (epoch, usage) = (storage.epoch().await.unwrap(), storage.usage().await.unwrap());
    drop(storage);
    let storage = Sqlite::open(folder.path()).unwrap();
    assert_eq!((storage.epoch().await.unwrap(), storage.usage().await.unwrap()), (epoch, usage));
}

#[tokio::test]
async fn a_database_of_a_newer_form_is_left_alone() {
    let folder = Folder::new("newer");
    drop(Sqlite::open(folder.path()).unwrap());
    let file = folder.path().join("hub.db");
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert_eq!(Sqlite::open(folder.path()).unwrap_err().kind, Kind::DbNewer);
}
