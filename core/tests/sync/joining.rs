//! Joining by invitation: from hand to hand, over a line, and everything that must not get in.

use tuquan_core::error::Kind;
use tuquan_core::ids::DeviceKey;
use tuquan_core::record::declare::Role;
use tuquan_core::sync::join::{
    Code, CodeKind, Compared, Invite, InviteOptions, Invited, JoinEvent, JoinGuest, JoinHost,
    Request, Taken,
};
use tuquan_core::sync::session::Side;
use tuquan_core::team::control::Rights;

use crate::device::{Device, sync};
use crate::lines::line;

fn quiet(_: u64, _: u64) {}

fn writer() -> InviteOptions {
    InviteOptions { role: Role::R2, rights: Rights::Writer, person: None, hub: None }
}

fn invite(admin: &mut Device) -> Invited {
    admin.replica.invite(&writer()).expect("invited")
}

fn accept(guest: &mut Device, invited: &Invited) -> Vec<u8> {
    let bytes = Code::read_as(CodeKind::Invite, &invited.code).expect("a code");
    guest.replica.accept_invitation(&bytes).expect("accepted")
}

fn take(admin: &mut Device, request: &[u8]) -> Result<Taken, Kind> {
    admin.replica.take_request(request, None).map_err(|error| error.kind)
}

fn rights(of: &Device, device: &DeviceKey) -> Option<Rights> {
    of.replica.mind.members.devices.get(device).map(|member| member.rights)
}

#[test]
fn a_newcomer_joins_from_hand_to_hand_with_every_step_after_a_restart() {
    let mut admin = Device::founder(600);
    admin.write_many(20);
    let invited = invite(&mut admin);
    assert!(invited.code.len() < 300 && invited.code.starts_with("TQ1."), "{}", invited.code);
    let mut guest = Device::new(601);
    let request = accept(&mut guest, &invited);
    assert_eq!(accept(&mut guest, &invited), request, "the same again");
    guest.reopen();
    let taken = take(&mut admin, &request).expect("taken");
    assert_eq!(take(&mut admin, &request).expect("again"), taken);
    assert_eq!(taken.device, guest.key());
    let revealed = guest.replica.take_reveal(&taken.reveal).expect("revealed");
    assert_eq!(revealed.digits, taken.digits);
    assert_eq!((revealed.digits.len(), revealed.inviter), (6, admin.key()));
    assert!(rights(&admin, &guest.key()).is_none(), "not before a person has compared");
    let admitted = admin.replica.admit(&invited.id, Compared::Equal, true).expect("admitted");
    assert_eq!(admitted.rights, Rights::Writer);
    admin.reopen();
    // A welcome that was lost is made again, also later than 15 minutes.
    let again = admin.replica.admit(&invited.id, Compared::Equal, true).expect("admitted");
    assert_eq!(admin.replica.mind.members.devices.len(), 2);
    let outcome = guest.replica.take_welcome(&again.welcome, &mut quiet).expect("joined");
    assert!(outcome.joined && outcome.refused.is_empty());
    assert_eq!(guest.hash(), admin.hash());
    guest.write();
    sync(&mut guest, &mut admin);
    assert_eq!(guest.hash(), admin.hash());
    let late = guest.replica.take_welcome(&again.welcome, &mut quiet);
    assert_eq!(late.expect_err("done").kind, Kind::NotReady);
    let bytes = invited.invite.encode();
    assert_eq!(guest.replica.accept_invitation(&bytes).expect_err("done").kind, Kind::Invalid);
}

#[test]
fn an_admission_that_was_cut_off_goes_on_and_an_older_store_can_invite() {
    let mut admin = Device::founder(605);
    let older = admin.replica.transact(|transaction, _, _| {
        let newer = "DROP TABLE invitation; DROP TABLE quarantine; DROP TABLE chunk; \
                     DROP TABLE named; ALTER TABLE relay_pack DROP COLUMN covers; \
                     ALTER TABLE log DROP COLUMN base; ALTER TABLE log DROP COLUMN parent;";
        transaction.execute_batch(newer)?;
        transaction.pragma_update(None, "user_version", 1)?;
        Ok(())
    });
    older.expect("as before there were invitations");
    admin.reopen();
    let invited = invite(&mut admin);
    let request = accept(&mut Device::new(606), &invited);
    let device = take(&mut admin, &request).expect("taken").device;
    // The power went after the decision was kept and before the grant was.
    let sql = "UPDATE invitation SET state = 2";
    let cut = admin.replica.transact(|transaction, _, _| Ok(transaction.execute(sql, [])?));
    assert_eq!(cut, Ok(1));
    assert!(rights(&admin, &device).is_none());
    admin.replica.admit(&invited.id, Compared::Equal, false).expect("admitted");
    assert_eq!(rights(&admin, &device), Some(Rights::Writer));
    // What was declined stays so.
    let other = invite(&mut admin);
    let request = accept(&mut Device::new(607), &other);
    admin.replica.decline(&other.id).expect("declined");
    assert_eq!(take(&mut admin, &request), Err(Kind::Invite));
}

#[test]
fn who_was_not_compared_may_only_read_and_a_second_device_is_of_the_same_person() {
    let mut admin = Device::founder(610);
    let me = admin.replica.mind.identity().expect("an identity").person;
    let options = InviteOptions { person: Some(me), ..writer() };
    let invited = admin.replica.invite(&options).expect("invited");
    let mut guest = Device::new(611);
    let request = accept(&mut guest, &invited);
    take(&mut admin, &request).expect("taken");
    let admitted = admin.replica.admit(&invited.id, Compared::Not, false).expect("admitted");
    assert_eq!(admitted.rights, Rights::Reader);
    guest.replica.take_welcome(&admitted.welcome, &mut quiet).expect("joined");
    assert_eq!(rights(&guest, &guest.key()), Some(Rights::Reader));
    assert_eq!(guest.replica.mind.members.devices[&guest.key()].person, me);
    assert_eq!(guest.replica.mind.identity().expect("an identity").person, me);
    let refused = guest.replica.write(None, |_, _| Ok((Vec::new(), 0)));
    assert_eq!(refused.expect_err("a reader").kind, Kind::Role);
    // Only an admin invites.
    assert_eq!(guest.replica.invite(&writer()).expect_err("a reader").kind, Kind::Role);
    let mut member = Device::member(612, &mut admin, false);
    assert_eq!(member.replica.invite(&writer()).expect_err("a writer").kind, Kind::Role);
}

#[test]
fn an_invitation_is_used_once_and_expires() {
    let mut admin = Device::founder(620);
    let (mut first, mut second) = (Device::new(621), Device::new(622));
    let invited = invite(&mut admin);
    let early = admin.replica.admit(&invited.id, Compared::Equal, false);
    assert_eq!(early.expect_err("nobody").kind, Kind::NotReady);
    // Two newcomers race with the same photographed code: the first request binds it.
    let (one, two) = (accept(&mut first, &invited), accept(&mut second, &invited));
    let taken = take(&mut admin, &one).expect("the first");
    assert_eq!(take(&mut admin, &two), Err(Kind::Invite));
    // The first one cannot try other nonces, nor take the request to a line, to search for digits.
    first.replica.give_up_joining().expect("given up");
    let other = accept(&mut first, &invited);
    assert_eq!(take(&mut admin, &other), Err(Kind::Invite));
    let moved = admin.replica.take_request(&one, Some([1; 32]));
    assert_eq!(moved.expect_err("another line").kind, Kind::Invite);
    assert_eq!(take(&mut admin, &one).expect("again"), taken);
    // A request of an invitation of which this phone does not know.
    let foreign = invite(&mut Device::founder(625));
    let stray = accept(&mut Device::new(626), &foreign);
    assert_eq!(take(&mut admin, &stray), Err(Kind::Invite));
    // Later.
    let unused = invite(&mut admin);
    let request = accept(&mut second, &unused);
    admin.reopen();
    assert_eq!(take(&mut admin, &request), Err(Kind::Invite));
    assert_eq!(take(&mut admin, &one), Err(Kind::Invite));
    for id in [unused.id, invited.id, [9; 16]] {
        let late = admin.replica.admit(&id, Compared::Equal, false);
        assert!(matches!(late.expect_err("late").kind, Kind::Invite | Kind::NotReady));
    }
    assert_eq!(admin.replica.mind.members.devices.len(), 1);
    assert!(JoinHost::new(&mut admin.replica, unused.id).is_err());
}

#[test]
fn digits_that_differ_close_the_invitation_on_both_sides() {
    let mut admin = Device::founder(630);
    let invited = invite(&mut admin);
    let (mut guest, mut thief) = (Device::new(631), Device::new(632));
    // Somebody with the photographed code stands in between and answers in the guest's place.
    let guests = accept(&mut guest, &invited);
    let thiefs = accept(&mut thief, &invited);
    let taken = take(&mut admin, &thiefs).expect("taken");
    let shown = guest.replica.take_reveal(&taken.reveal).expect("the real nonce");
    assert_ne!(shown.digits, taken.digits);
    let differ = admin.replica.admit(&invited.id, Compared::Differ, false);
    assert_eq!(differ.expect_err("closed").kind, Kind::Mitm);
    for request in [&thiefs, &guests] {
        assert_eq!(take(&mut admin, request), Err(Kind::Invite));
    }
    let late = admin.replica.admit(&invited.id, Compared::Equal, false);
    assert_eq!(late.expect_err("closed").kind, Kind::Invite);
    assert!(rights(&admin, &thief.key()).is_none());
    // A nonce of the thief's own is not the one that the admin committed to.
    let mut other = Device::founder(633);
    let forged = {
        let mine = invite(&mut other);
        let (secret, bytes) = (invited.invite.secret, mine.invite.encode());
        let mut own = Invite::decode(&bytes).expect("decoded");
        own.secret = secret;
        // Sealed with the right secret, so only the commitment can tell.
        forged_reveal(&mut other, &own)
    };
    assert_eq!(guest.replica.take_reveal(&forged).expect_err("forged").kind, Kind::Mitm);
    assert_eq!(guest.replica.take_reveal(&taken.reveal).expect_err("over").kind, Kind::NotReady);
}

/// A reveal of another nonce, sealed with the secret of `invite`.
fn forged_reveal(by: &mut Device, invite: &Invite) -> Vec<u8> {
    let sql = "UPDATE invitation SET secret = ?, id = ?";
    let (secret, id) = (invite.secret.0, invite.secret.id());
    let changed =
        by.replica.transact(|transaction, _, _| Ok(transaction.execute(sql, (secret, id))?));
    assert_eq!(changed, Ok(1));
    let mut fresh = Device::new(634);
    let request = fresh.replica.accept_invitation(&invite.encode()).expect("accepted");
    by.replica.take_request(&request, None).expect("taken").reveal
}

#[test]
fn any_byte_altered_in_any_message_is_refused_and_changes_nothing() {
    let mut admin = Device::founder(640);
    admin.write_many(3);
    let invited = invite(&mut admin);
    let mut guest = Device::new(641);
    let request = accept(&mut guest, &invited);
    for (at, bit) in (0..request.len()).flat_map(|at| [(at, 1), (at, 0x40)]) {
        let mut altered = request.clone();
        altered[at] ^= bit;
        let kind = take(&mut admin, &altered).expect_err("refused");
        assert!(matches!(kind, Kind::Invite | Kind::Magic), "{at}: {kind:?}");
    }
    for end in 0..request.len() {
        take(&mut admin, &request[..end]).expect_err("cut");
    }
    assert_eq!(take(&mut admin, &vec![1; 5_000]), Err(Kind::Size));
    let taken = take(&mut admin, &request).expect("still open");
    for (at, bit) in (0..taken.reveal.len()).flat_map(|at| [(at, 1), (at, 0x40)]) {
        let mut altered = taken.reveal.clone();
        altered[at] ^= bit;
        let kind = guest.replica.take_reveal(&altered).expect_err("refused").kind;
        assert!(matches!(kind, Kind::Body | Kind::Invite | Kind::Magic), "{at}: {kind:?}");
    }
    guest.replica.take_reveal(&taken.reveal).expect("still waiting");
    let welcome = admin.replica.admit(&invited.id, Compared::Equal, true).expect("in").welcome;
    for at in 0..welcome.len() {
        let mut altered = welcome.clone();
        altered[at] ^= 4;
        guest.replica.take_welcome(&altered, &mut quiet).expect_err("altered");
        guest.replica.take_welcome(&welcome[..at], &mut quiet).expect_err("cut");
        assert!(guest.replica.mind.logs.is_empty() && guest.replica.mind.space().is_err());
    }
    let foreign = Device::founder(645).replica.export_bundle(None, false, 3).expect("exported");
    let refused = guest.replica.take_welcome(&foreign, &mut quiet);
    assert_eq!(refused.expect_err("foreign").kind, Kind::Space);
    assert!(guest.replica.take_welcome(&welcome, &mut quiet).expect("joined").joined);
    // The invitation itself: its code notices every wrong character, its bytes their own form.
    let bytes = invited.invite.encode();
    let mut other = Device::new(646);
    assert_eq!(other.replica.accept_invitation(&[2, 1]).expect_err("newer").kind, Kind::Invite);
    assert_eq!(other.replica.accept_invitation(&request).expect_err("other").kind, Kind::Magic);
    for end in 0..bytes.len() {
        other.replica.accept_invitation(&bytes[..end]).expect_err("cut");
    }
}

/// Passes bytes between the two ends until nothing moves; `alter` sees those of the guest.
fn pass(
    host: &mut JoinHost,
    admin: &mut Device,
    guest: &mut JoinGuest,
    newcomer: &mut Device,
    mut alter: impl FnMut(&mut Vec<u8>),
) {
    loop {
        let mut moved = false;
        while let Some(mut bytes) = guest.poll_transmit() {
            alter(&mut bytes);
            host.handle_bytes(&mut admin.replica, &bytes).ok();
            moved = true;
        }
        while let Some(bytes) = host.poll_transmit() {
            guest.handle_bytes(&mut newcomer.replica, &bytes).ok();
            moved = true;
        }
        if !moved {
            return;
        }
    }
}

fn ends(admin: &mut Device, newcomer: &mut Device) -> (JoinHost, JoinGuest) {
    let invited = invite(admin);
    let host = JoinHost::new(&mut admin.replica, invited.id).expect("waiting");
    let bytes = invited.invite.encode();
    (host, JoinGuest::new(&mut newcomer.replica, &bytes).expect("asking"))
}

fn shown(event: Option<JoinEvent>) -> (DeviceKey, String) {
    match event {
        Some(JoinEvent::Digits { device, digits }) => (device, digits),
        other => panic!("{other:?}"),
    }
}

fn why(event: Option<JoinEvent>) -> Kind {
    match event {
        Some(JoinEvent::Failed { error }) => error.kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_newcomer_joins_over_a_line_once_the_digits_were_compared() {
    let (mut admin, mut newcomer) = (Device::founder(650), Device::new(651));
    admin.write();
    let (mut host, mut guest) = ends(&mut admin, &mut newcomer);
    assert!(host.answer(&mut admin.replica, Compared::Equal).is_err(), "nothing is shown yet");
    pass(&mut host, &mut admin, &mut guest, &mut newcomer, |_| {});
    let (to_admin, to_newcomer) = (shown(host.poll_event()), shown(guest.poll_event()));
    assert_eq!(to_admin, (newcomer.key(), to_newcomer.1));
    assert_eq!(to_newcomer.0, admin.key());
    assert_eq!((host.poll_event(), guest.poll_event()), (None, None));
    host.answer(&mut admin.replica, Compared::Equal).expect("admitted");
    pass(&mut host, &mut admin, &mut guest, &mut newcomer, |_| {});
    let (device, rights) = (newcomer.key(), Rights::Writer);
    assert_eq!(host.poll_event(), Some(JoinEvent::Admitted { device, rights }));
    assert!(matches!(guest.poll_event(), Some(JoinEvent::Joined { .. })));
    assert!(host.has_ended() && guest.has_ended());
    let (mut one, mut two) = (guest.into_line(), host.into_line());
    assert_eq!(one.remote_static(), Some(admin.card().unbox));
    one.send(&[1, 0, 0, 0, 9]).expect("the line goes on");
    two.handle_bytes(&one.poll_transmit().expect("bytes")).expect("taken");
    assert_eq!(two.next_frame(), Some(vec![1, 0, 0, 0, 9]));
    sync(&mut newcomer, &mut admin);
    assert_eq!(newcomer.hash(), admin.hash());
}

#[test]
fn digits_that_differ_on_either_screen_end_it_over_a_line_for_both() {
    for by_guest in [true, false] {
        let (mut admin, mut newcomer) = (Device::founder(660), Device::new(661));
        let (mut host, mut guest) = ends(&mut admin, &mut newcomer);
        pass(&mut host, &mut admin, &mut guest, &mut newcomer, |_| {});
        shown(host.poll_event());
        shown(guest.poll_event());
        if by_guest {
            guest.differ();
        } else {
            let answer = host.answer(&mut admin.replica, Compared::Differ);
            assert_eq!(answer.expect_err("closed").kind, Kind::Mitm);
        }
        pass(&mut host, &mut admin, &mut guest, &mut newcomer, |_| {});
        assert_eq!(why(host.poll_event()), Kind::Mitm);
        assert_eq!(why(guest.poll_event()), Kind::Mitm);
        host.answer(&mut admin.replica, Compared::Equal).expect_err("over");
        assert_eq!(admin.replica.mind.members.devices.len(), 1);
    }
}

#[test]
fn without_the_secret_or_with_another_ones_card_nobody_gets_a_reveal() {
    let mut admin = Device::founder(670);
    let invited = invite(&mut admin);
    let mut stranger = Device::new(671);
    // Another secret than the invitation's: the line does not open.
    for psk in [None, Some([7; 32])] {
        let mut host = JoinHost::new(&mut admin.replica, invited.id).expect("waiting");
        let mut left = line(&mut stranger, Side::Initiator, psk.as_ref());
        for _ in 0..3 {
            while let Some(bytes) = left.poll_transmit() {
                host.handle_bytes(&mut admin.replica, &bytes).ok();
            }
            while let Some(bytes) = host.poll_transmit() {
                left.handle_bytes(&bytes).ok();
            }
        }
        let kind = why(host.poll_event());
        assert!(matches!(kind, Kind::Body | Kind::Format), "{kind:?}");
    }
    // The secret, and the card of somebody else than the line's other end.
    let mut victim = Device::new(672);
    let request = accept(&mut victim, &invited);
    let opened = Request::open(&invited.invite.secret, &request).expect("opened");
    assert_eq!(opened.card.device, victim.key());
    let psk = invited.invite.secret.psk();
    let mut host = JoinHost::new(&mut admin.replica, invited.id).expect("waiting");
    let mut left = line(&mut stranger, Side::Initiator, Some(&psk));
    let len = u32::try_from(request.len() + 1).expect("small");
    left.send(&[&len.to_le_bytes()[..], &[16], &request].concat()).expect("kept");
    for _ in 0..3 {
        while let Some(bytes) = left.poll_transmit() {
            host.handle_bytes(&mut admin.replica, &bytes).ok();
        }
        while let Some(bytes) = host.poll_transmit() {
            left.handle_bytes(&bytes).ok();
        }
    }
    assert_eq!(why(host.poll_event()), Kind::Peer);
    // It was not bound by that.
    take(&mut admin, &request).expect("the victim itself");
}

#[test]
fn a_welcome_from_another_device_than_the_line_s_other_end_is_refused() {
    // A thief with the photographed code answers the guest in the admin's place: it can relay the
    // admin's messages, but the line is its own.
    let mut admin = Device::founder(680);
    let invited = invite(&mut admin);
    let (mut thief, mut newcomer) = (Device::new(681), Device::new(682));
    let psk = invited.invite.secret.psk();
    let bytes = invited.invite.encode();
    let mut guest = JoinGuest::new(&mut newcomer.replica, &bytes).expect("asking");
    let mut fake = line(&mut thief, Side::Responder, Some(&psk));
    let mut said = Vec::new();
    let frame = |number: u8, payload: &[u8]| {
        let len = u32::try_from(payload.len() + 1).expect("small");
        [&len.to_le_bytes()[..], &[number], payload].concat()
    };
    for round in 0..6 {
        while let Some(bytes) = guest.poll_transmit() {
            fake.handle_bytes(&bytes).expect("taken");
        }
        if let Some(request) = fake.next_frame().filter(|frame| frame[4] == 16) {
            let taken = take(&mut admin, &request[5..]).expect("relayed");
            said.push(taken.digits);
            fake.send(&frame(17, &taken.reveal)).expect("sent");
        }
        if round == 4 {
            let admitted = admin.replica.admit(&invited.id, Compared::Equal, false);
            fake.send(&frame(18, &admitted.expect("admitted").welcome)).expect("sent");
        }
        while let Some(bytes) = fake.poll_transmit() {
            guest.handle_bytes(&mut newcomer.replica, &bytes).ok();
        }
    }
    let (_, digits) = shown(guest.poll_event());
    assert_ne!([digits], said[..], "the digits are bound to the line");
    assert_eq!(why(guest.poll_event()), Kind::Peer);
    assert!(newcomer.replica.mind.space().is_err());
}

#[test]
fn a_garbled_line_ends_a_joining_with_a_typed_error_and_grants_nothing() {
    let mut lens = Vec::new();
    {
        let (mut admin, mut newcomer) = (Device::founder(690), Device::new(691));
        let (mut host, mut guest) = ends(&mut admin, &mut newcomer);
        pass(&mut host, &mut admin, &mut guest, &mut newcomer, |bytes| lens.push(bytes.len()));
    }
    assert_eq!(lens.len(), 3, "hello, proof, request");
    let (mut admin, mut newcomer) = (Device::founder(690), Device::new(691));
    for (index, len) in lens.iter().enumerate() {
        for at in (0..*len).step_by(3) {
            let (mut host, mut guest) = ends(&mut admin, &mut newcomer);
            let mut number = 0;
            pass(&mut host, &mut admin, &mut guest, &mut newcomer, |bytes| {
                if number == index {
                    bytes[at] ^= 0x20;
                }
                number += 1;
            });
            match host.poll_event() {
                // A longer length waits for bytes that never come.
                None => {}
                event => {
                    let kind = why(event);
                    let typed = [Kind::Body, Kind::Format, Kind::Size, Kind::DeviceKey];
                    assert!(typed.contains(&kind), "{index} {at}: {kind:?}");
                }
            }
            assert!(
                guest.poll_event().is_none_or(|event| matches!(event, JoinEvent::Failed { .. }))
            );
        }
    }
    assert_eq!(admin.replica.mind.members.devices.len(), 1);
}
