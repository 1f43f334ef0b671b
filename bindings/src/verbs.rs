//! The calls that need no network, each declared once: for uniffi as a method, for C as JSON.
//!
//! Must not know: how a language shows them.

use std::fs;

use tuquan_core::boundary::TuquanError;
use tuquan_core::door::attaching::{Attachment, Opened};
use tuquan_core::door::command::Command;
use tuquan_core::door::query::{Count, Counts, List, MemberDevice, Page, Record, Search};
use tuquan_core::door::{Applied, DeviceInfo, Stats};
use tuquan_core::error::{Error, Kind};
use tuquan_core::ids::{DeviceKey, ElementKey, LogId, RecordId, RequestId, from_hex};
use tuquan_core::record::declare::Role;
use tuquan_core::replica::Replica;
use tuquan_core::replica::quarantine::{Quarantined, Said};
use tuquan_core::replica::rebuild::Checked;
use tuquan_core::report::{Cut, Window, figures_by};
use tuquan_core::sync::card::Card;
use tuquan_core::sync::courier::LEVEL;
use tuquan_core::sync::frames::{Gathering, cut};
use tuquan_core::sync::join::{Code, CodeKind, Compared, InviteOptions};
use tuquan_core::sync::session::ResetCheck;
use tuquan_core::sync::truth::Truth;
use tuquan_core::team::control::Rights;

use crate::answers::{
    Admittance, BundleReport, FiguresPart, Invitation, InvitationOptions, Joined, Newcomer,
    PhotoState, Revealed,
};
use crate::network::client_of;
use crate::store::Tuquan;

/// Content of one frame: a QR code of 400 characters is read well from a cheap phone's screen.
const FRAME_BYTES: usize = 220;

macro_rules! verbs {
    ($(
        $(#[$doc:meta])*
        fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $out:ty =
            |$core:ident $(, $roots:ident)?| $body:expr;
    )*) => {
        #[uniffi::export]
        impl Tuquan {
            $(
                $(#[$doc])*
                pub fn $name(&self, $($arg: $ty),*) -> Result<$out, TuquanError> {
                    $(let $roots = &self.roots;)?
                    self.with(|$core| $body)
                }
            )*
        }

        /// A call as C gives it: its name, and what it takes by name.
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "snake_case", deny_unknown_fields)]
        #[allow(non_camel_case_types, reason = "the names of the calls")]
        pub(crate) enum Verb {
            $($name { $($arg: $ty),* },)*
        }

        impl Verb {
            /// Does the call; the answer is JSON.
            pub(crate) fn run(self, store: &Tuquan) -> Result<String, TuquanError> {
                match self {
                    $(Self::$name { $($arg),* } => json(&store.$name($($arg),*)?),)*
                }
            }

            /// The names of all of them.
            pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];
        }
    };
}

verbs! {
    /// Makes this device's identity and founds a team with it as admin. Disk.
    fn found() -> DeviceInfo = |core| core.found();

    /// Makes this device's identity, to join a team with; nothing to do for one that has it. Disk.
    fn init() -> DeviceInfo = |core| match core.device() {
        Ok(device) => Ok(device),
        Err(_) => core.init(),
    };

    /// Tells who this device is. Fast.
    fn device() -> DeviceInfo = |core| core.device();

    /// Does one command, durably: when this returns, it is saved on this phone. A repeated request
    /// id gets the first answer and writes nothing: make one for each tap, and repeat with it. Disk.
    fn apply(request: RequestId, command: Command) -> Applied = |core| core.apply(request, &command);

    /// Returns a page of records, newest first; at most 200 rows. Fast.
    fn list(list: List) -> Page = |core| {
        core.list(&List { limit: list.limit.clamp(1, ROWS_MAX), ..list })
    };

    /// Returns one record with all that it says; none when it is not here. Fast.
    fn get(record: RecordId) -> Option<Record> = |core| core.get(&record);

    /// Returns the records that hold all the words: exact accents first, then whole words, then
    /// beginnings; at most 200. Fast.
    fn search(search: Search) -> Vec<Record> = |core| {
        core.search(&Search { limit: search.limit.clamp(1, ROWS_MAX), ..search })
    };

    /// Returns the records that a person must choose for. Disk.
    fn conflicts(limit: u32) -> Vec<Record> = |core| core.conflicts(limit.clamp(1, ROWS_MAX));

    /// Counts records by fields and week. Disk.
    fn counts(counts: Counts) -> Vec<Count> = |core| core.counts(&counts);

    /// Counts the figures of a window of time, split as asked: the parts, or one part of all. Disk.
    fn figures(window: Window, cut: Cut) -> Vec<FiguresPart> = |core| {
        let parts = core.read(|connection, _| figures_by(connection, &window, cut))?;
        Ok(parts.into_iter().map(|(of, figures)| FiguresPart { of, figures }).collect())
    };

    /// Returns the code that people say to each other, such as `B2-261105-K7F`. Fast.
    fn code(record: RecordId) -> String = |core| {
        let found = core.get(&record)?;
        core.code(&found.ok_or_else(|| Error::new(Kind::NotFound, format!("record {record}")))?)
    };

    /// Returns the records that a person may mean by an id, the first six or more digits of one, or
    /// a code. Fast.
    fn find(text: String, limit: u32) -> Vec<RecordId> = |core| {
        core.find(&text, limit.clamp(1, ROWS_MAX) as usize)
    };

    /// Returns the id that a natural key names in this team. Fast.
    fn natural(kind: String, key: String) -> RecordId = |core| core.natural(&kind, &key);

    /// Returns the devices that have signed to hold the whole record: the truth behind "on another
    /// phone". Fast.
    fn held_elsewhere(record: RecordId) -> Vec<DeviceKey> = |core| core.held_elsewhere(&record);

    /// Tells whether a hub has given a receipt for the whole record. Fast.
    fn at_hub(record: RecordId) -> bool = |core| core.at_hub(&record);

    /// Says what is on this phone only, on another one, at a hub, and what is missing. Disk.
    fn truth() -> Truth = |core| core.truth();

    /// Tells whether this phone may be reset: whether another has signed to hold each entry. Disk.
    fn safe_to_reset() -> ResetCheck = |core| core.safe_to_reset();

    /// Tells, once, that this store was found to be a restored copy. Disk.
    fn take_restored() -> bool = |core| Ok(core.take_restored()?.is_some());

    /// Returns sizes and counts. Disk.
    fn stats() -> Stats = |core| core.stats();

    /// Returns the hash over all views: equal on devices with equal entries. Disk, long.
    fn view_hash() -> String = |core| core.view_hash();

    /// Checks every page, rebuilds the views and compares them. Disk, long.
    fn doctor() -> Checked = |core| core.doctor(&mut |_, _| {});

    /// Lists the devices that are members or were. Fast.
    fn members() -> Vec<MemberDevice> = |core| core.members();

    /// Removes a device from the team: it reads nothing that is written from now on. Disk.
    fn remove(device: DeviceKey) -> () = |core| core.remove(&device);

    /// Gives a member other rights and another domain role. Disk.
    fn set_role(device: DeviceKey, rights: Rights, role: Role) -> () = |core| {
        core.set_role(&device, rights, role)
    };

    /// Lists what is kept apart because it was written past a removal. Fast.
    fn quarantined() -> Vec<Quarantined> = |core| Ok(core.quarantined());

    /// Returns what entries that are kept apart say, for a person who decides about them. Disk.
    fn review(log: LogId, limit: u32) -> Vec<Said> = |core| {
        core.review(&log, limit.clamp(1, ROWS_MAX) as usize)
    };

    /// Accepts what is kept apart of a log up to an entry, for the whole team. Disk.
    fn accept_quarantined(log: LogId, last: u64) -> () = |core| core.accept_quarantined(&log, last);

    /// Attaches the photo of a file to a record, without its metadata, durably. Disk.
    fn attach(request: RequestId, record: RecordId, path: String) -> Applied = |core| {
        core.attach(request, &record, &read(&path)?)
    };

    /// Takes a photo out of a record. Disk.
    fn detach(request: RequestId, record: RecordId, key: ElementKey) -> Applied = |core| {
        core.detach(request, &record, &key)
    };

    /// Lists the photos of a record. Fast.
    fn attachments(record: RecordId) -> Vec<Attachment> = |core| core.attachments(&record);

    /// Writes a photo to a file, if all of it is here. Disk.
    fn save_photo(record: RecordId, key: ElementKey, path: String) -> PhotoState = |core| {
        Ok(match core.attachment(&record, &key)? {
            Opened::Whole(image) => {
                fs::write(&path, &image.bytes)?;
                PhotoState::Whole { bytes: image.bytes.len() as u64 }
            }
            Opened::Missing { missing, of } => PhotoState::Missing { missing, of },
        })
    };

    /// Writes a bundle of everything that this device holds to a file. Disk, long.
    fn export_bundle(path: String) -> u64 = |core| {
        let bytes = core.bulk(|replica| replica.export_bundle(None, false, LEVEL))?;
        fs::write(&path, &bytes)?;
        Ok(bytes.len() as u64)
    };

    /// Takes in a bundle file; it may come in any order, any number of times. Disk, long.
    fn import_bundle(path: String) -> BundleReport = |core| {
        let bytes = read(&path)?;
        let outcome = core.bulk(|replica| replica.import_bundle(&bytes, &mut |_, _| {}))?;
        core.note_changes(outcome.changed.clone());
        Ok(outcome.into())
    };

    /// Writes this device's card to a file, for a founder who lets it in without digits. Disk.
    fn write_card(path: String) -> () = |core| {
        let card = core.bulk(|replica| Ok(Card::encode(&replica.mind.identity()?.secret)))?;
        Ok(fs::write(&path, card)?)
    };

    /// Lets the device of a card file in, and writes the bundle file that it joins with. Disk.
    fn grant(card: String, role: Role, bundle: String) -> DeviceKey = |core| {
        let card = Card::decode(&read(&card)?)?;
        let bytes = core.bulk(|replica| replica.grant_bundle(&card, role, true))?;
        fs::write(&bundle, bytes)?;
        Ok(card.device)
    };

    /// Makes an invitation, which ends after 15 minutes and lets one device in. Disk.
    fn invite(options: InvitationOptions) -> Invitation = |core| {
        let person = options.own_device.then(|| core.device()).transpose()?;
        let options = InviteOptions {
            role: options.role,
            rights: Rights::Writer,
            person: person.map(|device| device.person),
            hub: options.hub_url,
        };
        let invited = core.bulk(|replica| replica.invite(&options))?;
        let id = tuquan_core::ids::to_hex(&invited.id);
        Ok(Invitation { id, code: invited.code, expires_ms: invited.invite.expires_ms })
    };

    /// Answers an invitation: returns the code that the inviter needs. Disk.
    fn accept_invitation(code: String) -> String = |core| {
        let bytes = of_kind(&code, CodeKind::Invite)?;
        if core.device().is_err() {
            core.init()?;
        }
        let request = core.bulk(|replica| replica.accept_invitation(&bytes))?;
        Ok(Code::write(CodeKind::Request, &request))
    };

    /// Takes a newcomer's answer: its digits, and the code with which the newcomer sees them. Disk.
    fn take_request(code: String) -> Newcomer = |core| {
        let bytes = of_kind(&code, CodeKind::Request)?;
        let taken = core.bulk(|replica| replica.take_request(&bytes, None))?;
        Ok(taken.into())
    };

    /// Takes the inviter's code: returns the digits to compare. Disk.
    fn take_reveal(code: String) -> Revealed = |core| {
        let bytes = of_kind(&code, CodeKind::Reveal)?;
        let revealed = core.bulk(|replica| replica.take_reveal(&bytes))?;
        Ok(revealed.into())
    };

    /// Admits who answered an invitation, by what a person said of the digits, and writes the
    /// welcome, a bundle file. Where nobody compared them the newcomer may read only; where they
    /// differ it is refused with `E-MITM`. Disk.
    fn admit(invitation: String, compared: Compared, welcome: String) -> Admittance = |core| {
        let invitation = invitation_id(&invitation)?;
        let admitted = core.bulk(|replica| replica.admit(&invitation, compared, true))?;
        fs::write(&welcome, &admitted.welcome)?;
        Ok(admitted.into())
    };

    /// Joins with the welcome file. Disk, long.
    fn enter(welcome: String) -> Joined = |core| {
        let bytes = read(&welcome)?;
        let outcome = core.bulk(|replica| replica.take_welcome(&bytes, &mut |_, _| {}))?;
        core.note_changes(outcome.changed.clone());
        Ok(Joined { entries: outcome.entries })
    };

    /// Gives up a joining: the digits differ, or the person thought better of it. Disk.
    fn give_up_joining() -> () = |core| core.bulk(Replica::give_up_joining);

    /// Sets the hub of this device, `https://...`, which is remembered. Refuses an address or
    /// certificates that cannot be used. Disk.
    fn set_hub(url: String) -> () = |core, roots| client_of(core, roots, &url).map(|_| ());

    /// Cuts a file into texts that QR codes hold, to be shown one after the other. Disk.
    fn frames_of(path: String) -> Vec<String> = |_core| cut(&read(&path)?, FRAME_BYTES);

    /// Puts scanned frames together in a file; returns the numbers of those still missing. Disk.
    fn file_of(frames: Vec<String>, path: String) -> Vec<u32> = |_core| {
        let mut gathering = Gathering::default();
        for frame in &frames {
            gathering.take(frame)?;
        }
        let missing = gathering.missing();
        if missing.is_empty() {
            fs::write(&path, gathering.finish()?)?;
        }
        Ok(missing.into_iter().filter_map(|number| u32::try_from(number).ok()).collect())
    };
}

/// The most rows of one answer: a phone lifts so many in one frame of its screen.
const ROWS_MAX: u32 = 200;

/// Returns an answer as JSON.
pub(crate) fn json<T: serde::Serialize>(answer: &T) -> Result<String, TuquanError> {
    let error = |_| Error::new(Kind::Io, "an answer has no JSON").into();
    serde_json::to_string(answer).map_err(error)
}

/// Reads a file that the caller named; the path stays out of the error.
fn read(path: &str) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::new(Kind::NotFound, "the file"),
        _ => error.into(),
    })
}

/// Reads a code of one step of joining.
pub(crate) fn of_kind(code: &str, kind: CodeKind) -> Result<Vec<u8>, Error> {
    let code = Code::read(code)?;
    if code.kind != kind {
        return Err(Error::new(Kind::Magic, "a code of another step"));
    }
    Ok(code.bytes)
}

/// Reads the id of an invitation.
pub(crate) fn invitation_id(text: &str) -> Result<[u8; 16], Error> {
    let bytes = from_hex(text)?;
    bytes.try_into().map_err(|_| Error::new(Kind::Invalid, "no invitation's id"))
}
