//! Removal on real stores: what stays, what is kept apart, what comes back, and which keys open
//! what. Scenario numbers are those of the quality page.

#![allow(clippy::cast_possible_wrap, reason = "small seeds")]

mod keys;
mod stage;

use proptest::prelude::*;
use stage::{Phone, orders};
use tuquan_core::error::Kind;
use tuquan_core::ids::RecordId;
use tuquan_core::record::declare::Role;
use tuquan_core::replica::govern::GrantOf;
use tuquan_core::sync::session::{Options, Session, Side};
use tuquan_core::team::control::Rights;
use tuquan_tests::phone::{incident, request};
use tuquan_tests::team::vector;

/// C wrote one incident that all know; then the founder removes C while C, offline, writes three
/// more entries, and D, who does not know, builds on the second of these.
struct Scene {
    founder: Phone,
    c: Phone,
    d: Phone,
    /// Knows what all knew before the removal.
    observer: Phone,
    /// Made by C before the removal, and after it.
    known: RecordId,
    late: RecordId,
    /// What C said late, piece by piece; what D said; the removal.
    packs: Vec<Vec<Vec<u8>>>,
}

fn scene(d_builds: bool) -> Scene {
    let founder = Phone::founder(1);
    let (c, d, observer) =
        (Phone::member(2, &founder), Phone::member(3, &founder), Phone::member(4, &founder));
    let known = c.say(1, "trước khi bị xóa");
    founder.hears_from(&c);
    for phone in [&c, &d, &observer] {
        phone.hears_from(&founder);
    }
    let mut of_c = vector(&c.store).expect("there");
    let mut of_founder = vector(&founder.store).expect("there");
    let mut packs = Vec::new();
    let late = c.say(2, "sau khi bị xóa");
    packs.push(c.news(&mut of_c));
    c.add(3, late, "thứ hai");
    packs.push(c.news(&mut of_c));
    if d_builds {
        d.hears_from(&c);
        let mut of_d = vector(&d.store).expect("there");
        d.add(4, late, "của D");
        packs.push(d.news(&mut of_d));
    }
    c.add(5, late, "thứ ba");
    packs.push(c.news(&mut of_c));
    founder.store.remove(&c.key()).expect("removed");
    packs.push(founder.news(&mut of_founder));
    assert!(packs.iter().all(|packs| !packs.is_empty()));
    Scene { founder, c, d, observer, known, late, packs }
}

#[test]
fn g1_what_a_removed_device_wrote_offline_is_kept_apart_in_every_order_of_arrival() {
    let scene = scene(false);
    let mut all = Vec::new();
    for order in orders(scene.packs.len()) {
        let phone = scene.observer.copy();
        for at in &order {
            phone.hear(&scene.packs[*at]);
        }
        let shown = phone.shown();
        assert_eq!(shown.apart.len(), 3, "{order:?}");
        assert_eq!((phone.notes(scene.known), phone.notes(scene.late)), (Some(0), None));
        phone.is_sound();
        assert_eq!(phone.shown(), shown, "{order:?}: made anew");
        all.push(shown);
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn g1_what_was_kept_apart_is_accepted_by_the_admin_as_far_as_it_says() {
    let scene = scene(false);
    let phone = scene.observer.copy();
    phone.hear(&scene.packs.concat());
    scene.founder.hear(&scene.packs.concat());
    let (founder, log) = (&scene.founder.store, scene.c.log());
    let apart = founder.quarantined();
    assert_eq!((apart.len(), apart[0].log, apart[0].count), (1, log, 3));
    assert_eq!(apart[0].device, scene.c.key());
    let said = founder.review(&log, 10).expect("read");
    assert_eq!(said.len(), 3);
    assert_eq!((said[0].kind.as_str(), said[0].record), ("incident", Some(scene.late)));
    assert!(format!("{:?}", said[1].fields).contains("thứ hai"), "{said:?}");
    let refused = phone.store.accept_quarantined(&log, apart[0].last).expect_err("refused");
    assert_eq!(refused.kind, Kind::Role);

    founder.accept_quarantined(&log, apart[0].first + 1).expect("accepted");
    assert_eq!((scene.founder.notes(scene.late), founder.quarantined()[0].count), (Some(1), 1));
    founder.accept_quarantined(&log, apart[0].last).expect("accepted");
    assert_eq!((scene.founder.notes(scene.late), founder.quarantined().len()), (Some(2), 0));
    phone.hears_from(&scene.founder);
    assert_eq!(phone.shown(), scene.founder.shown());
    phone.is_sound();
    let nothing = founder.accept_quarantined(&log, apart[0].last).expect_err("refused");
    assert_eq!(nothing.kind, Kind::NotFound);
}

#[test]
fn g2_what_an_unaware_member_builds_on_comes_back_and_no_more() {
    let scene = scene(true);
    let log = scene.c.log();
    let mut all = Vec::new();
    for order in orders(scene.packs.len()) {
        let phone = scene.observer.copy();
        for at in &order {
            phone.hear(&scene.packs[*at]);
        }
        let shown = phone.shown();
        let apart: Vec<_> = shown.apart.iter().copied().collect();
        assert_eq!(apart.len(), 1, "{order:?}: {apart:?}");
        assert_eq!(apart[0].0, log);
        // The incident, C's second entry and D's note; C's third entry stays apart.
        assert_eq!(phone.notes(scene.late), Some(2), "{order:?}");
        all.push(shown);
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
    scene.founder.hear(&scene.packs.concat());
    scene.d.hears_from(&scene.founder);
    assert_eq!(scene.d.shown(), scene.founder.shown());
    assert_eq!(scene.d.shown(), all[0]);
    scene.d.is_sound();
}

#[test]
fn g2_who_knew_of_the_removal_brings_nothing_back() {
    let scene = scene(false);
    scene.d.hears_from(&scene.founder);
    scene.d.hears_from(&scene.c);
    // Its views do not show what is kept apart, so it has nothing to build on.
    assert_eq!((scene.d.notes(scene.late), scene.d.shown().apart.len()), (None, 3));
    scene.d.say(9, "của D");
    scene.founder.hears_from(&scene.d);
    assert_eq!(scene.founder.shown().apart.len(), 3);
    assert_eq!(scene.founder.shown(), scene.d.shown());
}

#[test]
fn a_removed_device_keeps_its_data_and_writes_no_more_once_it_knows() {
    let scene = scene(false);
    scene.c.store.apply(request(20), &incident("chưa biết")).expect("it does not know yet");
    scene.c.hears_from(&scene.founder);
    let refused = scene.c.store.apply(request(21), &incident("đã biết")).expect_err("refused");
    assert_eq!((refused.kind, refused.code()), (Kind::Removed, "E-REMOVED"));
    // The same entries give the same views, on the removed device too.
    scene.founder.hears_from(&scene.c);
    assert_eq!(scene.c.shown().apart, scene.founder.shown().apart);
    assert_eq!(scene.c.notes(scene.known), Some(0));
    let c = scene.c.reopen();
    assert_eq!(c.shown().apart.len(), 4);
    assert_eq!(c.store.review(&c.log(), 10).expect("read").len(), 4);
}

#[test]
fn a_removed_peer_is_told_so_and_the_line_closes() {
    let scene = scene(false);
    let mut one = Session::new(Side::Initiator, 0, Options::default());
    let mut two = Session::new(Side::Responder, 0, Options::default());
    let hello =
        scene.c.store.bulk(|replica| one.poll_transmit(replica)).expect("there").expect("there");
    let refused = scene.founder.store.bulk(|replica| two.handle_message(replica, &hello, 0));
    assert_eq!(refused.expect_err("refused").code(), "E-PEER");
    let told = scene
        .founder
        .store
        .bulk(|replica| two.poll_transmit(replica))
        .expect("there")
        .expect("there");
    let ended = scene.c.store.bulk(|replica| one.handle_message(replica, &told, 0));
    assert_eq!(ended.expect_err("refused").code(), "E-PEER");
}

#[test]
fn a_device_that_is_let_in_again_writes_to_new_logs() {
    let scene = scene(false);
    let Scene { founder, c, .. } = &scene;
    let (key, old) = (c.key(), c.log());
    founder.hears_from(c);
    assert_eq!(founder.shown().apart.len(), 3);
    founder
        .store
        .bulk(|replica| {
            let unbox = c.store.bulk(|replica| Ok(replica.mind.identity()?.secret.box_key()))?;
            replica.grant(&GrantOf::writer(key, unbox, Role::R1))
        })
        .expect("granted again");
    c.hears_from(founder);
    let again = c.say(30, "vào lại");
    assert_ne!(c.log(), old);
    founder.hears_from(c);
    assert_eq!(founder.notes(again), Some(0));
    assert_eq!(founder.shown().apart.len(), 3, "what was kept apart stays so");
    assert_eq!(founder.shown(), c.shown());
    // And in another order: the new log first.
    let late = scene.observer.copy();
    let mut packs = tuquan_tests::team::packs(&founder.store, &vector(&late.store).expect("there"))
        .expect("there");
    packs.reverse();
    late.hear(&packs);
    assert_eq!(late.shown(), founder.shown());
    founder.is_sound();
    let c = scene.c.reopen();
    c.say(31, "sau khi mở lại");
    assert_ne!(c.log(), old);
}

#[test]
fn a_member_that_may_only_read_from_now_on_is_judged_so_past_the_cut() {
    let scene = scene(false);
    let Scene { founder, d, .. } = &scene;
    let before = d.say(40, "còn quyền ghi");
    founder.hears_from(d);
    founder.store.set_role(&d.key(), Rights::Reader, Role::R1).expect("changed");
    let after = d.say(41, "chưa biết");
    founder.hears_from(d);
    assert_eq!((founder.notes(before), founder.notes(after)), (Some(0), None));
    d.hears_from(founder);
    assert_eq!(d.store.apply(request(42), &incident("x")).expect_err("refused").kind, Kind::Role);
    assert_eq!(d.shown().apart, founder.shown().apart);
    // It still reads what is new.
    let news = founder.say(43, "mới");
    d.hears_from(founder);
    assert_eq!(d.notes(news), Some(0));
    founder.store.set_role(&d.key(), Rights::Writer, Role::R2).expect("changed back");
    d.hears_from(founder);
    let again = d.say(44, "được ghi lại");
    founder.hears_from(d);
    assert_eq!(founder.notes(again), Some(0));
    assert_eq!(founder.shown(), d.shown());
    founder.is_sound();
}

#[test]
fn only_an_admin_governs_and_not_itself() {
    let scene = scene(false);
    let kind = |outcome: tuquan_core::error::Result<()>| outcome.expect_err("refused").kind;
    let (founder, d) = (&scene.founder, &scene.d);
    assert_eq!(kind(d.store.remove(&founder.key())), Kind::Role);
    assert_eq!(kind(d.store.set_role(&founder.key(), Rights::Reader, Role::R1)), Kind::Role);
    assert_eq!(kind(founder.store.remove(&founder.key())), Kind::Invalid);
    assert_eq!(kind(founder.store.remove(&scene.c.key())), Kind::Removed);
    assert_eq!(
        kind(founder.store.remove(&Phone::new(9).store.init().expect("there").device)),
        Kind::NotMember
    );
    assert_eq!(kind(founder.store.set_role(&d.key(), Rights::Admin, Role::R3)), Kind::Role);
    let members = founder.store.members().expect("listed");
    let removed = members.iter().filter(|m| format!("{:?}", m.status) == "Removed");
    assert_eq!((members.len(), removed.count()), (4, 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_order_repetition_and_grouping_ends_the_same(
        order in Just((0..7_usize).collect::<Vec<_>>()).prop_shuffle(),
        again in prop::collection::vec(0..7_usize, 0..4),
    ) {
        thread_local! {
            static SCENE: (Scene, Vec<Vec<Vec<u8>>>, stage::Shown) = long_scene();
        }
        SCENE.with(|(scene, packs, expected)| {
            let phone = scene.observer.copy();
            for at in order.iter().chain(&again) {
                phone.hear(&packs[*at]);
            }
            let shown = phone.shown();
            prop_assert_eq!(&shown, expected);
            Ok(())
        })?;
    }
}

/// The scene of G2, then the founder accepts C's third entry and C goes on; returns what an observer
/// must end with.
fn long_scene() -> (Scene, Vec<Vec<Vec<u8>>>, stage::Shown) {
    let scene = scene(true);
    let mut packs = scene.packs.clone();
    scene.founder.hear(&packs.concat());
    let mut of_founder = vector(&scene.founder.store).expect("there");
    let last = scene.founder.store.quarantined()[0].last;
    scene.founder.store.accept_quarantined(&scene.c.log(), last).expect("accepted");
    packs.push(scene.founder.news(&mut of_founder));
    let mut of_c = vector(&scene.c.store).expect("there");
    scene.c.add(50, scene.late, "thứ tư");
    packs.push(scene.c.news(&mut of_c));
    let expected = scene.observer.copy();
    // What came back goes up to C's third entry; the fourth stays apart.
    expected.hear(&packs.concat());
    let expected = expected.shown();
    assert_eq!((packs.len(), expected.apart.len()), (7, 1));
    (scene, packs, expected)
}
