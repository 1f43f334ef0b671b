//! Damaged pages of a real store: found, nothing false shown, what can be read saved, the rest
//! healed from a colleague (row 36 of the bad inputs, promise 8).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tuquan_core::door::command::Command;
use tuquan_core::door::query::{List, Record};
use tuquan_core::door::{Config, Tuquan};
use tuquan_core::error::{Kind, Result};
use tuquan_core::ids::RecordId;
use tuquan_core::record::declare::Role;
use tuquan_core::record::plain::Plain;
use tuquan_core::replica::salvage::Salvaged;
use tuquan_core::sync::session::Event;
use tuquan_tests::meeting::meet;
use tuquan_tests::phone::{
    Folder, HandClock, NOON_MS, edit, env, incident, location, note, open, request,
};
use tuquan_tests::team::{give, join, verify};

const PAGE_LEN: usize = 4_096;
/// How many stores are damaged, unless `TUQUAN_PAGE_CASES` says otherwise.
const CASES: u64 = 40;

type Records = BTreeMap<RecordId, Record>;

/// A founder and a member that met, and then wrote on; closed, to be copied.
struct Team {
    folders: [Folder; 2],
    /// What each of them showed.
    shown: [Records; 2],
    entries: [u64; 2],
}

fn text(number: u64, times: usize) -> String {
    let mut text = format!("Sự việc {number} ở cầu thang. ").repeat(times);
    text.truncate(text.floor_char_boundary(3_990));
    text
}

fn commands(from: u64, count: u64) -> Vec<Command> {
    let long = |n: u64| if n.is_multiple_of(5) { 120 } else { 1 + n as usize % 7 };
    (from..from + count).map(|n| incident(&text(n, long(n)))).collect()
}

impl Team {
    fn new() -> Self {
        let folders = [Folder::new("founder"), Folder::new("member")];
        let clock = HandClock::at(NOON_MS);
        let [a, b] = [0, 1]
            .map(|n| open(location(folders[n].path(), None), n as u64, &clock).expect("opened"));
        a.found().expect("founded");
        join(&a, &b, Role::R2).expect("joined");
        for (round, store) in [&a, &b, &a, &b].into_iter().enumerate() {
            clock.advance(60_000);
            let first = round as u64 * 1_000;
            store.apply_many(&commands(first, 60), &mut |_| {}).expect("imported");
            for n in first + 100..first + 112 {
                let applied = store.apply(request(n), &commands(n, 1)[0]).expect("written");
                let long = note(applied.record, &text(n, 45));
                store.apply(request(n + 500), &long).expect("noted");
                clock.advance(1_000);
            }
            give(&a, &b).expect("given");
            give(&b, &a).expect("given");
        }
        for (n, store) in [&a, &b].into_iter().enumerate() {
            for n in 0..9 + n as u64 {
                store.apply(request(9_000 + n), &commands(n, 1)[0]).expect("written");
            }
        }
        let shown = [&a, &b].map(|store| records(store).expect("read"));
        let entries = [&a, &b].map(|store| store.stats().expect("stats").entries);
        [a, b].iter().for_each(pause_unsealed);
        Self { folders, shown, entries }
    }

    /// Copies the closed store of one of them.
    fn copy(&self, which: usize, name: &str) -> Folder {
        let folder = Folder::new(name);
        for file in ["store.db", "store.check"] {
            fs::copy(self.folders[which].path().join(file), folder.path().join(file))
                .expect("copied");
        }
        folder
    }
}

/// Writes everything into the one file, and leaves the tail of rows a tail.
fn pause_unsealed(store: &Tuquan) {
    store
        .bulk(|replica| {
            let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
            Ok(replica.connection.query_row(sql, [], |_| Ok(()))?)
        })
        .expect("checkpointed");
}

fn ids(store: &Tuquan) -> Result<Vec<RecordId>> {
    let list = List { kind: "incident".to_owned(), limit: 1_000, ..List::default() };
    Ok(store.list(&list)?.rows.into_iter().map(|row| row.record).collect())
}

fn records(store: &Tuquan) -> Result<Records> {
    let mut records = Records::new();
    for id in ids(store)? {
        records.extend(store.get(&id)?.map(|record| (id, record)));
    }
    Ok(records)
}

fn reopen(folder: &Path) -> Result<Tuquan> {
    open(location(folder, None), 77, &HandClock::at(NOON_MS + 9_000_000))
}

fn salvage(folder: &Path) -> Result<Salvaged> {
    static SEED: AtomicU64 = AtomicU64::new(1_000);
    let clock = HandClock::at(NOON_MS + 9_000_000);
    let env = env(SEED.fetch_add(1, Ordering::Relaxed), &clock);
    Tuquan::salvage(&Config::new(location(folder, None)), env, &mut |_, _| {})
}

/// Two phones hold a session, which must end well on both.
fn meet_well(a: &Tuquan, b: &Tuquan) -> Result<()> {
    for event in meet(a, b)?.into_iter().flatten() {
        match event {
            Event::Failed { error, .. } | Event::Refused { error } => return Err(error),
            Event::Forked { log } | Event::Restored { log } => panic!("log {log} forked"),
            _ => {}
        }
    }
    Ok(())
}

/// Damages some pages of a file.
fn damage(rng: &mut ChaCha8Rng, bytes: &mut Vec<u8>) -> String {
    let pages = (bytes.len() / PAGE_LEN) as u64;
    let mut said = String::new();
    for _ in 0..[1, 1, 1, 2, 5, 12][rng.next_u64() as usize % 6] {
        let page = (rng.next_u64() % pages) as usize * PAGE_LEN;
        let other = (rng.next_u64() % pages) as usize * PAGE_LEN;
        match rng.next_u64() % 8 {
            0..3 => bytes[page + rng.next_u64() as usize % PAGE_LEN] ^= 1,
            3..5 => bytes[page..page + PAGE_LEN].fill(0),
            5 => bytes[page..page + 512].fill(0),
            _ => bytes.copy_within(other..other + PAGE_LEN, page),
        }
        said.push_str(&format!(" {}<{}", page / PAGE_LEN, other / PAGE_LEN));
    }
    if rng.next_u64().is_multiple_of(10) {
        let len = bytes.len() - rng.next_u64() as usize % (bytes.len() / 2);
        bytes.truncate(len);
        bytes.resize(len.next_multiple_of([1, PAGE_LEN][len % 2]), 0);
        said.push_str(&format!(" cut at {}", len / PAGE_LEN));
    }
    said
}

/// Every record that can be read is as it was, else the storage is named.
fn shows_nothing_false(store: &Tuquan, shown: &Records, case: &str) -> bool {
    let mut whole = true;
    for (id, record) in shown {
        match store.get(id) {
            Ok(Some(found)) => assert_eq!(found, *record, "{case}: a wrong row"),
            Ok(None) => panic!("{case}: a row is silently missing"),
            Err(error) => {
                assert_eq!(error.code(), "E-DBPAGE", "{case}: {error}");
                whole = false;
            }
        }
    }
    match ids(store) {
        Ok(found) => assert_eq!(found.len(), shown.len(), "{case}"),
        Err(error) => {
            assert_eq!(error.code(), "E-DBPAGE", "{case}: {error}");
            whole = false;
        }
    }
    whole
}

#[derive(Debug, Default)]
struct Tally {
    unreadable: u32,
    whole: u32,
    parts: u32,
    identity: u32,
}

#[test]
fn pages_damaged_at_random_are_found_salvaged_and_healed_from_a_colleague() {
    let team = Team::new();
    let mut tally = Tally::default();
    let wanted = std::env::var("TUQUAN_PAGE_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = wanted.unwrap_or(CASES);
    for seed in 0..cases {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let which = (seed % 2) as usize;
        let (folder, peer) = (team.copy(which, "damaged"), team.copy(1 - which, "peer"));
        let file = folder.path().join("store.db");
        let mut bytes = fs::read(&file).expect("read");
        let sound = bytes.clone();
        let case = format!("seed {seed}:{}", damage(&mut rng, &mut bytes));
        if bytes == sound {
            continue;
        }
        fs::write(&file, &bytes).expect("written");
        match reopen(folder.path()) {
            Err(error) => {
                assert_eq!(error.code(), "E-DBPAGE", "{case}: {error}");
                tally.unreadable += 1;
            }
            Ok(store) => {
                shows_nothing_false(&store, &team.shown[which], &case);
                let checked = store.doctor(&mut |_, _| {});
                let checked = checked.unwrap_or_else(|error| panic!("{case}: {error}"));
                assert!(!checked.pages_ok, "{case}: not found");
            }
        }
        let damaged = fs::read(&file).expect("read");
        let saved = match salvage(folder.path()) {
            Ok(saved) => saved,
            Err(error) => {
                // With the list of tables on lost pages nothing can be found any more.
                let told = matches!(error.kind, Kind::Identity | Kind::DbPage);
                assert!(told, "{case}: {error}");
                assert_eq!(fs::read(&file).expect("read"), damaged, "{case}: it was changed");
                tally.identity += 1;
                continue;
            }
        };
        let kept = fs::read(folder.path().join(&saved.kept)).expect("kept");
        assert!(kept == damaged, "{case}: the damaged file was changed");
        let total = team.entries[which];
        assert!(saved.recovered <= saved.of && saved.of <= total, "{case}: {saved:?} of {total}");
        if saved.recovered == total {
            tally.whole += 1;
        } else {
            tally.parts += 1;
        };
        heal(&team, which, folder.path(), peer.path(), &case);
    }
    let least = u32::try_from(cases / 10).expect("few");
    assert!(tally.whole > least && tally.parts > least, "{tally:?}");
    assert!(tally.identity <= least, "{tally:?}");
}

/// A salvaged store holds nothing false, gets the rest from its colleague, and writes again.
fn heal(team: &Team, which: usize, folder: &Path, peer: &Path, case: &str) {
    let (store, peer) = (reopen(folder).expect("opened"), reopen(peer).expect("opened"));
    verify(&store).unwrap_or_else(|error| panic!("{case}: {error}"));
    for (id, found) in records(&store).expect("read") {
        let before = &team.shown[which][&id];
        assert_eq!(found.fields, before.fields, "{case}: a wrong row");
    }
    // A member whose team list is lost must hear of it before a session: it comes as a bundle.
    if store.members().expect("members").is_empty() {
        let bundle = peer.bulk(|replica| replica.export_bundle(None, false, 3)).expect("made");
        store.bulk(|replica| replica.import_bundle(&bundle, &mut |_, _| {})).expect("imported");
    }
    meet_well(&store, &peer).unwrap_or_else(|error| panic!("{case}: {error}"));
    let hash = |store: &Tuquan| store.view_hash().expect("hash");
    assert_eq!(hash(&store), hash(&peer), "{case}: not equal after a session");
    let former = store.device().expect("device").log;
    let applied = store.apply(request(1), &incident("Sau khi cứu")).expect("written");
    store.apply(request(2), &edit(applied.record, "priority", Plain::from("urgent"))).expect("set");
    assert!(former.is_none() || store.device().expect("device").log == former);
    meet_well(&peer, &store).unwrap_or_else(|error| panic!("{case}: {error}"));
    assert_eq!(hash(&store), hash(&peer), "{case}: not equal after a write");
    assert_eq!(store.held_elsewhere(&applied.record).expect("asked").len(), 1, "{case}");
    let checked = store.doctor(&mut |_, _| {}).expect("checked");
    assert!(checked.pages_ok && checked.views_ok, "{case}: {checked:?}");
}

/// Where the last page of a long row is wiped, SQLCipher hands out zeros and no error: no text may
/// be shown, and no entry sent, that such a page is behind.
#[test]
fn a_wiped_page_is_never_shown_or_sent_as_good_data() {
    let team = Team::new();
    let sound = fs::read(team.folders[1].path().join("store.db")).expect("read");
    let (mut refused_shown, mut refused_sent) = (0, 0);
    for page in (1..sound.len() / PAGE_LEN).map(|page| page * PAGE_LEN) {
        let folder = team.copy(1, "wiped");
        let mut bytes = sound.clone();
        match page / PAGE_LEN % 3 {
            0 => bytes[page + 999] ^= 4,
            _ => bytes[page..page + PAGE_LEN].fill(0),
        }
        fs::write(folder.path().join("store.db"), &bytes).expect("written");
        let case = format!("page {}", page / PAGE_LEN);
        let Ok(store) = reopen(folder.path()) else { continue };
        refused_shown += u32::from(!shows_nothing_false(&store, &team.shown[1], &case));
        match verify(&store) {
            Ok(entries) => assert_eq!(entries, team.entries[1], "{case}"),
            Err(error) => {
                assert!(matches!(error.code(), "E-DBPAGE" | "E-IO"), "{case}: {error}");
                refused_sent += 1;
            }
        }
    }
    assert!(refused_shown > 20 && refused_sent > 5, "{refused_shown}, {refused_sent}");
}

#[test]
fn a_first_page_that_is_lost_costs_nothing() {
    let team = Team::new();
    for (which, wiped) in [(0, 16), (1, PAGE_LEN - 100)] {
        let (folder, peer) = (team.copy(which, "first"), team.copy(1 - which, "peer"));
        let file = folder.path().join("store.db");
        let mut bytes = fs::read(&file).expect("read");
        bytes[100..100 + wiped].fill(7);
        fs::write(&file, &bytes).expect("written");
        assert_eq!(reopen(folder.path()).expect_err("refused").code(), "E-DBPAGE");
        let saved = salvage(folder.path()).expect("salvaged");
        assert_eq!((saved.recovered, saved.of), (team.entries[which], team.entries[which]));
        heal(&team, which, folder.path(), peer.path(), "the first page");
    }
}

#[test]
fn an_exchange_that_was_cut_off_is_finished_by_whoever_opens_next() {
    let team = Team::new();
    let folder = team.copy(1, "cut");
    let file = folder.path().join("store.db");
    let before = fs::read(&file).expect("read");
    // As it stands when the power fails after the new store is complete: once before the damaged
    // file was moved, once behind it.
    for moved in [false, true] {
        let saved = salvage(folder.path()).expect("salvaged");
        let inner = folder.path().join("salvage");
        fs::create_dir_all(&inner).expect("made");
        fs::rename(&file, inner.join("store.db")).expect("moved");
        fs::write(inner.join("complete"), &saved.kept).expect("written");
        if !moved {
            fs::rename(folder.path().join(&saved.kept), &file).expect("moved");
        }
        let store = reopen(folder.path()).expect("opened");
        assert!(store.device().expect("device").log.is_some());
        assert!(store.stats().expect("stats").entries >= team.entries[1]);
        assert!(!inner.exists());
        drop(store);
        assert!(folder.path().join(&saved.kept).is_file());
    }
    assert!(fs::read(folder.path().join("store.db.damaged-1")).expect("kept") == before);
}

#[test]
fn a_new_log_names_the_former_one_and_the_former_one_comes_back_from_a_colleague() {
    let team = Team::new();
    let (folder, peer) = (team.copy(1, "log"), team.copy(0, "peer"));
    let former = reopen(folder.path()).expect("opened").device().expect("device").log;
    salvage(folder.path()).expect("salvaged");
    let store = reopen(folder.path()).expect("opened");
    let log = store.device().expect("device").log;
    assert!(log.is_some() && log != former);
    let opening = store.bulk(|replica| {
        let no = replica.mind.local_no(&log.expect("open"));
        tuquan_core::replica::mind::opening(&replica.connection, no)
    });
    let predecessor = opening.expect("read").and_then(|open| open.predecessor);
    assert_eq!(predecessor.map(|(log, ..)| log), former);
    let peer = reopen(peer.path()).expect("opened");
    meet_well(&store, &peer).expect("met");
    let held = |store: &Tuquan| {
        let vector = tuquan_tests::team::vector(store).expect("vector");
        former.and_then(|log| vector.get(&log).map(|entry| entry.next))
    };
    assert!(held(&store).is_some());
    assert_eq!(held(&store), held(&peer));
}
