//! The admin's side: invitations in the store, and what becomes of them.
//!
//! Open -> bound by the first request -> admitted or closed. Invariant: an invitation answers one
//! request only, with one reveal; who comes second, later than 15 minutes by this phone's clock,
//! or after it was closed, gets `E-INVITE`. Must not know: how messages travel.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::message::{Invite, MESSAGE_BYTES_MAX, Request, Reveal};
use super::{Binding, Code, CodeKind, Secret, commitment, digits};
use crate::clock::BACKWARD_MS_MAX;
use crate::codec::{Reader, Writer};
use crate::error::{Error, Kind, Result};
use crate::ids::{BoxKey, DeviceKey, PersonId};
use crate::record::declare::Role;
use crate::replica::Replica;
use crate::replica::govern::GrantOf;
use crate::sync::card::Card;
use crate::sync::courier::is_member;
use crate::team::control::Rights;

/// How long an invitation may be used, in milliseconds.
pub const LIFETIME_MS: i64 = 15 * 60 * 1_000;
/// How long one is remembered after that, to say why it is refused.
const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1_000;
/// The most invitations that are remembered.
const INVITATIONS_MAX: i64 = 64;

const OPEN: i64 = 0;
const BOUND: i64 = 1;
const ADMITTED: i64 = 2;
const CLOSED: i64 = 3;

/// What the newcomer will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteOptions {
    /// The domain role.
    pub role: Role,
    /// What the device may do.
    pub rights: Rights,
    /// The person whose next device it is; none for a new person.
    pub person: Option<PersonId>,
    /// The relay where both may meet.
    pub hub: Option<String>,
}

/// An invitation that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    /// Its id.
    pub id: [u8; 16],
    /// What to show.
    pub invite: Invite,
    /// The same as a text code.
    pub code: String,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The invitation that it answers.
    pub invitation: [u8; 16],
    /// The device that asks.
    pub device: DeviceKey,
    /// The six digits to compare with those on its screen.
    pub digits: String,
    /// The answer to it.
    pub reveal: Vec<u8>,
}

/// What a person said of the digits on the two screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Compared {
    /// They are the same.
    Equal,
    /// They differ.
    Differ,
    /// Nobody has compared them: the newcomer may read only.
    Not,
}

/// A newcomer that was admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The device.
    pub device: DeviceKey,
    /// What it may do.
    pub rights: Rights,
    /// The bundle that it joins with.
    pub welcome: Vec<u8>,
}

/// The request that an invitation is bound to.
struct Bound {
    card: Card,
    nonce: [u8; 32],
    binding: Binding,
}

impl Bound {
    fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.array(4).bytes(&self.card.device.0).bytes(&self.card.unbox.0).bytes(&self.nonce);
        to.bytes(self.binding.as_ref().map_or(&[], |hash| &hash[..]));
        to.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut from = Reader::new(bytes);
        from.tuple(4)?;
        let device = DeviceKey(from.array_bytes()?);
        let unbox = BoxKey(from.array_bytes()?);
        let nonce = from.array_bytes()?;
        let binding = <[u8; 32]>::try_from(from.bytes(32)?).ok();
        Ok(Self { card: Card { device, unbox }, nonce, binding })
    }
}

/// A row of the table.
struct Kept {
    secret: Secret,
    nonce: [u8; 32],
    role: u64,
    rights: i64,
    person: Option<PersonId>,
    created_ms: i64,
    expires_ms: i64,
    state: i64,
    bound: Option<Vec<u8>>,
    reveal: Option<Vec<u8>>,
}

const COLUMNS: &str =
    "secret, nonce, role, rights, person, created_ms, expires_ms, state, bound, reveal";

impl Kept {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            secret: Secret(row.get(0)?),
            nonce: row.get(1)?,
            role: row.get::<_, i64>(2)?.cast_unsigned(),
            rights: row.get(3)?,
            person: row.get(4)?,
            created_ms: row.get(5)?,
            expires_ms: row.get(6)?,
            state: row.get(7)?,
            bound: row.get(8)?,
            reveal: row.get(9)?,
        })
    }

    /// Checks that it may still be used at `now_ms`; a clock set back does not lengthen its life.
    fn check_time(&self, now_ms: i64) -> Result<()> {
        let lived = self.created_ms.saturating_sub(BACKWARD_MS_MAX)..self.expires_ms;
        if lived.contains(&now_ms) {
            return Ok(());
        }
        Err(Error::new(Kind::Invite, "the invitation has expired"))
    }

    fn bound(&self) -> Result<Option<Bound>> {
        self.bound.as_deref().map(Bound::decode).transpose()
    }
}

impl Replica {
    /// Makes an invitation, for 15 minutes and one device.
    ///
    /// # Errors
    /// `E-ROLE` when this device may not grant; `E-NOTREADY` without a team; `E-SIZE` for a long
    /// hub address; of the store.
    pub fn invite(&mut self, options: &InviteOptions) -> Result<Invited> {
        let space = self.mind.space()?;
        let inviter = self.mind.identity()?.secret.device_key();
        if self.mind.members.member(&inviter)?.rights < Rights::Admin {
            return Err(Error::new(Kind::Role, "only an admin invites"));
        }
        let now_ms = self.env.clock.now_ms();
        let secret = Secret(self.env.random());
        let nonce: [u8; 32] = self.env.random();
        let expires_ms = now_ms.saturating_add(LIFETIME_MS);
        let (commit, hub) = (commitment(&nonce), options.hub.clone());
        let invite = Invite { space, inviter, secret, commit, expires_ms, hub };
        let bytes = invite.encode();
        Invite::decode(&bytes)?;
        self.transact(|transaction, _, _| {
            forget_old(transaction, now_ms)?;
            let sql = "INSERT INTO invitation (id, secret, nonce, role, rights, person, \
                       created_ms, expires_ms, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
            transaction.prepare_cached(sql)?.execute(params![
                secret.id(),
                secret.0,
                nonce,
                options.role as i64,
                options.rights as i64,
                options.person,
                now_ms,
                expires_ms,
                OPEN
            ])?;
            Ok(())
        })?;
        let code = Code::write(CodeKind::Invite, &bytes);
        Ok(Invited { id: secret.id(), invite, code })
    }

    /// Takes a newcomer's request; the first one binds the invitation that it was sealed for.
    /// The same request again gets the same answer.
    ///
    /// # Errors
    /// `E-INVITE` when it answers no invitation of this phone, or one that is expired, closed or
    /// bound to another request; `E-MAGIC`, `E-SIZE`, `E-TRUNC`, `E-FORMAT`; `E-KEY`, `E-SIG` of
    /// its card; of the store.
    pub fn take_request(&mut self, bytes: &[u8], binding: Binding) -> Result<Taken> {
        let (row, request) = self.find_invitation(bytes)?;
        row.check_time(self.env.clock.now_ms())?;
        let space = self.mind.space()?;
        let me = self.mind.identity()?.secret.device_key();
        if request.card.device == me {
            return Err(Error::new(Kind::Invalid, "an invitation answered by its own device"));
        }
        let invitation = row.secret.id();
        let bound = Bound { card: request.card, nonce: request.nonce, binding };
        let encoded = bound.encode();
        let reveal = match (&row.bound, &row.reveal) {
            _ if row.state == CLOSED => {
                return Err(Error::new(Kind::Invite, "the invitation was closed"));
            }
            (Some(first), Some(reveal)) if *first == encoded => reveal.clone(),
            (None, _) => self.transact(|transaction, _, env| {
                let reveal = Reveal::seal(&row.secret, &row.nonce, env)?;
                let sql = "UPDATE invitation SET bound = ?, reveal = ?, state = ? WHERE id = ?";
                transaction
                    .prepare_cached(sql)?
                    .execute(params![encoded, reveal, BOUND, invitation])?;
                Ok(reveal)
            })?,
            _ => return Err(Error::new(Kind::Invite, "another device has answered it already")),
        };
        let (card, nonces) = (bound.card, (&row.nonce, &bound.nonce));
        let digits = digits(&space, &me, &card, nonces, &binding);
        Ok(Taken { invitation, device: card.device, digits, reveal })
    }

    /// Finds the invitation that a request was sealed for.
    fn find_invitation(&self, bytes: &[u8]) -> Result<(Kept, Request)> {
        let sql = format!("SELECT {COLUMNS} FROM invitation ORDER BY created_ms DESC");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(Error::new(Kind::Size, format!("a request of {} bytes", bytes.len())));
        }
        while let Some(row) = rows.next()? {
            let row = Kept::read(row)?;
            match Request::open(&row.secret, bytes) {
                Ok(request) => return Ok((row, request)),
                // Sealed for another one, or altered: which of both cannot be told.
                Err(error) if error.kind == Kind::Body => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(Kind::Invite, "it answers no invitation of this device"))
    }

    fn invitation(&self, id: &[u8; 16]) -> Result<Kept> {
        let sql = format!("SELECT {COLUMNS} FROM invitation WHERE id = ?");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let row = statement.query_row([id], Kept::read).optional()?;
        row.ok_or_else(|| Error::new(Kind::Invite, "no such invitation"))
    }

    /// Returns the secret of an invitation that may still be answered.
    ///
    /// # Errors
    /// `E-INVITE`; of the store.
    pub(super) fn open_invitation(&self, id: &[u8; 16]) -> Result<Secret> {
        let row = self.invitation(id)?;
        row.check_time(self.env.clock.now_ms())?;
        if row.state != OPEN {
            return Err(Error::new(Kind::Invite, "the invitation was used"));
        }
        Ok(row.secret)
    }

    /// Admits the device that an invitation is bound to, by what a person said of the digits, and
    /// returns the bundle that it joins with. May be repeated.
    ///
    /// # Errors
    /// `E-MITM` when the digits differ: the invitation is closed then. `E-INVITE` when it is
    /// expired, closed or not there; `E-NOTREADY` before a request; `E-ROLE`; of the store.
    pub fn admit(
        &mut self,
        invitation: &[u8; 16],
        compared: Compared,
        with_history: bool,
    ) -> Result<Admitted> {
        let row = self.invitation(invitation)?;
        if compared == Compared::Differ {
            self.set_state(invitation, CLOSED)?;
            return Err(Error::new(Kind::Mitm, "the digits differ"));
        }
        if row.state == CLOSED {
            return Err(Error::new(Kind::Invite, "the invitation was closed"));
        }
        let early = || Error::new(Kind::NotReady, "nobody has answered the invitation yet");
        let card = row.bound()?.ok_or_else(early)?.card;
        let is_member = is_member(&self.mind.members, &card.device)?;
        if row.state != ADMITTED || !is_member {
            row.check_time(self.env.clock.now_ms())?;
            self.set_state(invitation, ADMITTED)?;
        }
        let of = GrantOf {
            device: card.device,
            box_key: card.unbox,
            person: row.person,
            rights: if compared == Compared::Equal { rights(row.rights) } else { Rights::Reader },
            role: Role::from_number(row.role).unwrap_or(Role::R1),
            invitation: Some(*invitation),
        };
        let welcome = self.admission_bundle(&of, with_history)?;
        let rights = self.mind.members.member(&card.device)?.rights;
        Ok(Admitted { device: card.device, rights, welcome })
    }

    /// Closes an invitation for good; one that was admitted stays so.
    ///
    /// # Errors
    /// `E-INVITE` when it is not there; of the store.
    pub fn decline(&mut self, invitation: &[u8; 16]) -> Result<()> {
        self.invitation(invitation)?;
        self.set_state(invitation, CLOSED)
    }

    fn set_state(&mut self, invitation: &[u8; 16], state: i64) -> Result<()> {
        self.transact(|transaction, _, _| {
            let sql = "UPDATE invitation SET state = ? WHERE id = ?";
            transaction.prepare_cached(sql)?.execute(params![state, invitation])?;
            Ok(())
        })
    }
}

fn rights(number: i64) -> Rights {
    match number {
        1 => Rights::Writer,
        2 => Rights::Admin,
        _ => Rights::Reader,
    }
}

/// Drops invitations that were over a day ago, and the oldest above the cap.
fn forget_old(transaction: &Transaction<'_>, now_ms: i64) -> Result<()> {
    let sql = "DELETE FROM invitation WHERE expires_ms < ?";
    transaction.prepare_cached(sql)?.execute([now_ms.saturating_sub(REMEMBERED_MS)])?;
    let sql = "DELETE FROM invitation WHERE id IN (SELECT id FROM invitation \
               ORDER BY created_ms DESC LIMIT -1 OFFSET ?)";
    transaction.prepare_cached(sql)?.execute([INVITATIONS_MAX - 1])?;
    Ok(())
}
