//! T-REMOVE: by real attempts to open, nothing that was written by anyone who knew opens with the
//! keys of the removed device; and how members keep having one key.

use tuquan_core::crypto::DeviceSecret;
use tuquan_core::door::Tuquan;
use tuquan_core::error::Error;
use tuquan_core::ids::{BoxKey, EpochId};
use tuquan_core::log::pack::{self, Header};
use tuquan_core::record::declare::Role;
use tuquan_core::replica::outgoing::Vector;
use tuquan_core::team::control::{Act, EpochMade, Lockbox, Share, TEAM};
use tuquan_core::team::epoch::{EpochSecret, lock, look_back, make, unlock};
use tuquan_core::team::removal::Revoke;
use tuquan_tests::pen::Pen;
use tuquan_tests::rogue::Rogue;
use tuquan_tests::team::{give, packs};

use crate::stage::Phone;

/// All keys that a thief of this phone gets at, with every lockbox that it can ever open.
fn keys_of(phone: &Phone, logs: &Tuquan) -> Vec<EpochSecret> {
    let (secret, space, mut keys): (DeviceSecret, _, Vec<EpochSecret>) = phone
        .store
        .bulk(|replica| {
            let mind = &replica.mind;
            let keys = mind.epochs.values().cloned().collect();
            Ok((mind.identity()?.secret.clone(), mind.space()?, keys))
        })
        .expect("keys");
    // The control logs are readable: every lockbox in them is tried.
    let members = logs.bulk(|replica| Ok(replica.mind.members.clone())).expect("members");
    for epoch in members.epochs.values() {
        for (_, lockbox) in &epoch.lockboxes {
            keys.extend(unlock(&space, epoch, lockbox, &secret));
        }
        let back: Vec<_> = keys
            .iter()
            .filter_map(|key| look_back(&space, epoch, key).ok())
            .flatten()
            .map(|(_, key)| key)
            .collect();
        keys.extend(back);
    }
    keys
}

fn opens(keys: &[EpochSecret], pack: &[u8]) -> bool {
    let header = Header::read(pack).expect("a header");
    assert!(!header.open);
    keys.iter().any(|key| pack::open(pack, &header, Some(&key.pack_key())).is_ok())
}

fn sealed(store: &Tuquan, since: &Vector) -> Vec<Vec<u8>> {
    let mut packs = packs(store, since).expect("packed");
    packs.retain(|pack| !Header::read(pack).expect("a header").open);
    packs
}

fn epoch(phone: &Phone) -> EpochId {
    phone.store.bulk(|replica| Ok(replica.mind.epoch()?.0)).expect("a key")
}

#[test]
fn nothing_written_by_anyone_who_knew_opens_with_the_keys_of_the_removed_device() {
    let founder = Phone::founder(1);
    let (c, d, e) =
        (Phone::member(2, &founder), Phone::member(3, &founder), Phone::member(4, &founder));
    c.say(1, "trước");
    founder.hears_from(&c);
    d.hears_from(&founder);
    let nothing = Vector::default();
    let before = sealed(&founder.store, &nothing);
    // A partition: C and D on one side, the founder and E on the other.
    founder.store.remove(&c.key()).expect("removed");
    let unaware = d.say(2, "D chưa biết");
    e.hears_from(&founder);
    founder.say(3, "người lập tổ biết");
    e.say(4, "E biết");
    let keys = keys_of(&c, &founder.store);
    assert!(!keys.is_empty() && before.iter().all(|pack| opens(&keys, pack)), "the test can see");
    assert!(sealed(&d.store, &nothing).iter().all(|pack| opens(&keys, pack)), "D did not know");
    for phone in [&founder, &e] {
        let sealed = sealed(&phone.store, &nothing);
        assert!(!sealed.is_empty());
        for pack in sealed {
            assert!(!opens(&keys, &pack), "a pack of one who knew opens");
        }
    }
    // D hears of it: what it packs from now on is closed too, even what it wrote before.
    d.hears_from(&founder);
    founder.hears_from(&d);
    let keys = keys_of(&c, &founder.store);
    assert!(sealed(&d.store, &nothing).iter().all(|pack| !opens(&keys, pack)));
    // A bundle for a newcomer as well, who reads all of the history.
    let f = Phone::member(5, &founder);
    assert_eq!((f.notes(unaware), epoch(&f)), (Some(0), epoch(&founder)));
    assert!(sealed(&f.store, &nothing).iter().all(|pack| !opens(&keys, pack)));
}

#[test]
fn a_newcomer_opens_old_packs_by_the_chain_of_keys() {
    let founder = Phone::founder(1);
    let (c, d) = (Phone::member(2, &founder), Phone::member(3, &founder));
    let record = c.say(1, "gói cũ");
    founder.hears_from(&c);
    d.hears_from(&founder);
    let old = sealed(&founder.store, &Vector::default());
    founder.store.remove(&c.key()).expect("removed");
    founder.store.remove(&d.key()).expect("removed");
    let e = Phone::member(4, &founder);
    let held = e.store.bulk(|replica| Ok(replica.mind.epochs.len())).expect("keys");
    assert_eq!(held, 3, "the key in use and both before it");
    let secrets = e.store.bulk(|replica| Ok(replica.mind.epochs.clone())).expect("keys");
    let secrets: Vec<EpochSecret> = secrets.into_values().collect();
    assert!(old.iter().all(|pack| opens(&secrets, pack)));
    assert_eq!(e.notes(record), Some(0));
}

#[test]
fn g10_two_keys_made_at_once_both_open_and_the_next_writer_takes_the_deeper_then_the_greater() {
    let founder = Phone::founder(1);
    let (c, d, x) =
        (Phone::member(2, &founder), Phone::member(3, &founder), Phone::member(4, &founder));
    let mut liar = liar(&founder);
    // Both lack a key that may seal, without knowing of each other: the founder removed X and a
    // liar gave X the key that followed.
    founder.store.remove(&x.key()).expect("removed");
    for phone in [&c, &d] {
        phone.hears_from(&founder);
    }
    let first = epoch(&founder);
    let leaked = leak(&mut liar, &founder, &x);
    for phone in [&c, &d] {
        phone.hear(std::slice::from_ref(&leaked));
    }
    assert!(founder.store.bulk(|r| Ok(r.mind.epoch().is_ok())).is_ok_and(|has| !has));
    let (of_c, of_d) = (c.say(1, "của C"), d.say(2, "của D"));
    for phone in [&c, &d] {
        phone.store.bulk(|replica| replica.seal()).expect("sealed");
    }
    let made = [epoch(&c), epoch(&d)];
    assert!(made[0] != made[1] && !made.contains(&first));
    c.hears_from(&d);
    d.hears_from(&c);
    founder.hears_from(&c);
    let greater = *made.iter().max().expect("there");
    assert_eq!([epoch(&c), epoch(&d), epoch(&founder)], [greater; 3]);
    for phone in [&founder, &c, &d] {
        assert_eq!((phone.notes(of_c), phone.notes(of_d)), (Some(0), Some(0)));
    }
    // The next change of the key follows both.
    founder.store.remove(&d.key()).expect("removed");
    let last = epoch(&founder);
    let parents = founder.store.bulk(|replica| {
        let epochs = replica.mind.members.epochs.values();
        Ok(epochs
            .filter(|epoch| epoch.id == last)
            .flat_map(|e| e.parents.clone())
            .collect::<Vec<_>>())
    });
    let mut parents = parents.expect("parents");
    parents.sort();
    let mut both = made.to_vec();
    both.sort();
    assert!(both.iter().all(|id| parents.contains(id)), "{parents:?} {both:?}");
}

/// A member that lies about the team, with the keys of the founder's phone at hand.
fn liar(founder: &Phone) -> Pen {
    let rogue = Rogue::join(&founder.store, Role::R1, 77).expect("joined");
    Pen::new(rogue.secret, rogue.space, 78)
}

/// Lets the liar sign an act with all that `phone` knows of the team, and tells it to `phone`.
fn append(pen: &mut Pen, phone: &Phone, act: &Act) -> Vec<u8> {
    let heads = phone.store.bulk(|r| Ok(r.mind.members.heads.clone())).expect("heads");
    let pack = pen.sign(act, &heads).expect("signed");
    phone.hear(std::slice::from_ref(&pack));
    pack
}

/// Gives the key in use to a device that was removed.
fn leak(pen: &mut Pen, phone: &Phone, to: &Phone) -> Vec<u8> {
    let unbox = to.store.bulk(|r| Ok(r.mind.identity()?.secret.box_key())).expect("a key");
    let share = phone.store.bulk(|replica| {
        let (epoch, secret) = replica.mind.epoch()?;
        let (space, to) = (replica.mind.space()?, (&to.key(), &unbox));
        let lockbox = lock(&space, &epoch, secret, to, &mut *replica.env.rng)?;
        Ok(Share { epoch, compartment: TEAM.to_owned(), lockbox })
    });
    append(pen, phone, &Act::Share(share.expect("a share")))
}

#[test]
fn a_key_that_somebody_else_may_hold_is_not_used_and_the_next_writer_makes_another() {
    let founder = Phone::founder(1);
    let (c, d) = (Phone::member(2, &founder), Phone::member(3, &founder));
    let mut liar = liar(&founder);
    d.hears_from(&founder);
    founder.store.remove(&c.key()).expect("removed");
    let leaked = epoch(&founder);
    leak(&mut liar, &founder, &c);
    d.hears_from(&founder);
    d.say(1, "sau khi lộ khóa");
    let keys = keys_of(&c, &founder.store);
    let sealed = sealed(&d.store, &Vector::default());
    assert_ne!(epoch(&d), leaked);
    assert!(sealed.iter().all(|pack| !opens(&keys, pack)));
    founder.hears_from(&d);
    assert_eq!(epoch(&founder), epoch(&d));
}

#[test]
fn row_19_a_lockbox_that_does_not_open_is_told_once_and_ignored() {
    let founder = Phone::founder(1);
    let d = Phone::member(3, &founder);
    let mut liar = liar(&founder);
    let key = epoch(&founder);
    let made = EpochMade {
        epoch: EpochId([7; 16]),
        compartment: TEAM.to_owned(),
        parents: vec![key],
        public: BoxKey([5; 32]),
        back: None,
        lockboxes: vec![Lockbox { device: d.key(), sealed: vec![9; 80] }],
    };
    append(&mut liar, &founder, &Act::Epoch(made));
    let told = give(&founder.store, &d.store).expect("taken in").broken;
    assert_eq!(told.iter().map(Error::code).collect::<Vec<_>>(), ["E-LOCKBOX"]);
    let author = liar.secret.device_key().to_string();
    assert!(told[0].context.contains(&author), "{}", told[0]);
    // The key in use is another one, claimed again: the good lockbox stays the one that counts.
    let bad = Lockbox { device: d.key(), sealed: vec![8; 80] };
    let share = Share { epoch: key, compartment: TEAM.to_owned(), lockbox: bad };
    append(&mut liar, &founder, &Act::Share(share));
    assert_eq!(give(&founder.store, &d.store).expect("taken in").broken, []);
    assert_eq!([epoch(&d), epoch(&founder)], [key; 2]);
}

#[test]
fn row_20_a_key_whose_recipients_are_not_exactly_the_members_is_void() {
    let founder = Phone::founder(1);
    let d = Phone::member(3, &founder);
    let mut liar = liar(&founder);
    let key = epoch(&founder);
    let space = founder.store.bulk(|replica| replica.mind.space()).expect("a team");
    let only = [(liar.secret.device_key(), liar.secret.box_key())];
    let at = (&liar.log.clone(), liar.next());
    let made = make(&space, at, &[], &only, &mut liar.rng).expect("made");
    append(&mut liar, &founder, &Act::Epoch(made.clone()));
    d.hears_from(&founder);
    for phone in [&founder, &d] {
        assert_eq!(epoch(phone), key);
        assert_eq!(voids(phone), ["E-EPOCH"]);
    }
    // Nor does an entry count that gives another key the id of the one in use.
    let lie = EpochMade { epoch: key, ..made };
    append(&mut liar, &founder, &Act::Epoch(lie));
    assert_eq!((epoch(&founder), voids(&founder).len()), (key, 2));
    // What is sealed still opens for all.
    let record = founder.say(1, "vẫn đọc được");
    d.hears_from(&founder);
    assert_eq!(d.notes(record), Some(0));
}

#[test]
fn row_16_acts_of_who_may_not_are_stored_and_void() {
    let founder = Phone::founder(1);
    let d = Phone::member(3, &founder);
    let mut liar = liar(&founder);
    let target =
        founder.store.bulk(|r| Ok(r.mind.members.member(&d.key())?.grant)).expect("a member");
    let revoke = Revoke { device: d.key(), grant: target, cuts: Vec::new() };
    append(&mut liar, &founder, &Act::Revoke(revoke));
    assert_eq!(voids(&founder), ["E-ROLE"]);
    assert!(founder.store.bulk(|r| r.mind.members.member(&d.key()).map(drop)).is_ok());
}

fn voids(phone: &Phone) -> Vec<&'static str> {
    let void =
        phone.store.bulk(|r| Ok(r.mind.members.void.values().map(|kind| kind.code()).collect()));
    void.expect("listed")
}

#[test]
fn row_18_a_pack_whose_key_is_missing_waits_and_is_read_when_the_key_comes() {
    let founder = Phone::founder(1);
    let (c, d) = (Phone::member(2, &founder), Phone::member(3, &founder));
    founder.store.remove(&c.key()).expect("removed");
    let record = founder.say(1, "dưới khóa mới");
    let all = packs(&founder.store, &tuquan_tests::team::vector(&d.store).expect("there"))
        .expect("there");
    let (control, data): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|pack| Header::read(pack).expect("there").open);
    let held = d.store.bulk(|replica| replica.ingest(&data[0])).expect("kept").held;
    assert_eq!(held.map(|kind| kind.code()), Some("E-WAIT-KEY"));
    assert_eq!(d.store.stats().expect("there").locked, 1);
    d.hear(&control);
    assert_eq!((d.notes(record), d.store.stats().expect("there").locked), (Some(0), 0));
}
