//! A made-up team: control entries of devices that each know what they have heard so far. Links are
//! numbers; the rules never look into them.

use std::collections::BTreeSet;

use tuquan_core::crypto::DeviceSecret;
use tuquan_core::ids::{BoxKey, DeviceKey, Link, LogId, PersonId, SpaceId};
use tuquan_core::log::chain::Sort;
use tuquan_core::team::control::{Act, Genesis, Grant, LogOpen, Rights, TEAM};
use tuquan_core::team::members::{ControlEntry, Members};
use tuquan_core::team::removal::{Cut, ExtendCut, Revoke, SetRole};

/// The most devices.
pub(crate) const DEVICES: usize = 7;

/// The key of a device by its number.
pub(crate) fn key(device: usize) -> DeviceKey {
    DeviceSecret { sign: [1 + u8::try_from(device).expect("there"); 32], unbox: [9; 32] }
        .device_key()
}

pub(crate) fn person(device: usize) -> PersonId {
    PersonId([u8::try_from(device).expect("there"); 16])
}

fn control_log(device: usize) -> LogId {
    LogId([0xc0 + u8::try_from(device).expect("there"); 16])
}

/// The data log of a device.
pub(crate) fn data_log(device: usize) -> LogId {
    LogId([0xd0 + u8::try_from(device).expect("there"); 16])
}

pub(crate) struct Team {
    pub(crate) entries: Vec<ControlEntry>,
    /// What each device has heard: links.
    heard: Vec<BTreeSet<Link>>,
}

impl Team {
    /// A team of a founder, device 0.
    pub(crate) fn founded() -> Self {
        let mut team = Self { entries: Vec::new(), heard: vec![BTreeSet::new(); DEVICES] };
        team.act(0, Act::Genesis(genesis()));
        team
    }

    pub(crate) fn space(&self) -> SpaceId {
        genesis().space()
    }

    /// What an entry of this device cites now.
    pub(crate) fn heads(&self, device: usize) -> Vec<Link> {
        let heard = &self.heard[device];
        let known: Vec<ControlEntry> =
            self.entries.iter().filter(|e| heard.contains(&e.link)).cloned().collect();
        Members::of(&self.space(), &known).heads
    }

    pub(crate) fn hear_all(&mut self, device: usize) {
        self.heard[device] = self.entries.iter().map(|entry| entry.link).collect();
    }

    /// One device hears all that another has heard.
    fn hear(&mut self, device: usize, from: usize) {
        let news = self.heard[from].clone();
        self.heard[device].extend(news);
    }

    pub(crate) fn act(&mut self, author: usize, act: Act) -> Link {
        let own = self.entries.iter().filter(|entry| entry.device == key(author)).count();
        if own == 0 {
            let (device, sort) = (key(author), Sort::Control);
            let open = LogOpen { device, sort, nonce: [0; 16], grant: None, predecessor: None };
            self.push(author, 0, Act::LogOpen(open));
        }
        self.push(author, own.max(1), act)
    }

    fn push(&mut self, author: usize, seq: usize, act: Act) -> Link {
        let heads = self.heads(author);
        let own = self.entries.iter().rfind(|entry| entry.log == control_log(author));
        let before = own.map(|entry| entry.link).unwrap_or_default();
        self.push_behind(author, (seq as u64, before), heads, act)
    }

    /// Returns the number of an entry and the link that it follows.
    pub(crate) fn place(&self, link: Link) -> (u64, Link) {
        let found = self.entries.iter().find(|entry| entry.link == link).expect("there");
        (found.seq, found.before)
    }

    /// An entry that follows any other one of its author's log, whatever follows that already.
    pub(crate) fn push_behind(
        &mut self,
        author: usize,
        (seq, before): (u64, Link),
        heads: Vec<Link>,
        act: Act,
    ) -> Link {
        let number = self.entries.len();
        // Links in an order that has nothing to do with that of writing.
        let mut link = [0; 32];
        link[0] = (number as u8).wrapping_mul(167).wrapping_add(author as u8);
        link[1] = author as u8;
        link[2] = number as u8;
        let link = Link(link);
        let (log, device) = (control_log(author), key(author));
        self.entries.push(ControlEntry { log, device, seq, before, link, heads, act });
        self.heard[author].insert(link);
        link
    }

    pub(crate) fn grant(&mut self, by: usize, device: usize, rights: Rights, rank: u64) -> Link {
        self.act(by, Act::Grant(grant(device, rights, rank)))
    }

    pub(crate) fn grant_as(&mut self, by: usize, device: usize, person: PersonId) -> Link {
        self.act(by, Act::Grant(Grant { person, ..grant(device, Rights::Writer, 0) }))
    }

    pub(crate) fn grant_by_invitation(&mut self, by: usize, device: usize, id: [u8; 16]) -> Link {
        let invitation = Some(id);
        self.act(by, Act::Grant(Grant { invitation, ..grant(device, Rights::Writer, 0) }))
    }

    /// The grant of a device as the author knows it; a made-up one when it knows none.
    pub(crate) fn granted(&self, by: usize, device: usize) -> Link {
        let heard = &self.heard[by];
        let known: Vec<ControlEntry> =
            self.entries.iter().filter(|e| heard.contains(&e.link)).cloned().collect();
        let members = Members::of(&self.space(), &known);
        members.devices.get(&key(device)).map_or(Link([0xee; 32]), |member| member.grant)
    }

    pub(crate) fn revoke(&mut self, by: usize, device: usize, last: u64) -> Link {
        let grant = self.granted(by, device);
        let cuts = cuts(device, last);
        self.act(by, Act::Revoke(Revoke { device: key(device), grant, cuts }))
    }

    pub(crate) fn set_role(&mut self, by: usize, device: usize, rights: Rights, rank: u64) -> Link {
        let (grant, cuts) = (self.granted(by, device), cuts(device, 5));
        let compartments = vec![TEAM.to_owned()];
        let device = key(device);
        let change = SetRole { device, grant, rights, rank, role: 2, compartments, cuts };
        self.act(by, Act::SetRole(change))
    }

    pub(crate) fn extend(&mut self, by: usize, of: Link, device: usize, last: u64) -> Link {
        self.act(by, Act::ExtendCut(ExtendCut { of, cuts: cuts(device, last) }))
    }

    /// A step of a random history, sensible or not.
    pub(crate) fn step(&mut self, author: usize, target: usize, what: u8, number: u64, hears: u8) {
        let rights =
            [Rights::Reader, Rights::Writer, Rights::Admin, Rights::Admin][number as usize];
        match what {
            0..=2 => drop(self.grant(author, target, rights, number)),
            3 | 4 => drop(self.revoke(author, target, number * 3)),
            5 => drop(self.set_role(author, target, rights, number)),
            6 => {
                let made = self.entries.iter().rev();
                let is_cut = |act: &Act| matches!(act, Act::Revoke(_) | Act::SetRole(_));
                let of = made.filter(|e| is_cut(&e.act)).nth(number as usize).map(|e| e.link);
                if let Some(of) = of {
                    self.extend(author, of, target, number * 5);
                }
            }
            7 => drop(self.grant_by_invitation(author, target, [hears % 2; 16])),
            _ => {}
        }
        for device in 0..DEVICES {
            if hears >> device & 1 == 1 {
                self.hear(device, author);
            }
        }
    }
}

fn genesis() -> Genesis {
    let founder = key(0);
    Genesis {
        founder,
        box_key: BoxKey([9; 32]),
        person: person(0),
        nonce: [5; 16],
        recovery: key(9),
    }
}

pub(crate) fn grant(device: usize, rights: Rights, rank: u64) -> Grant {
    Grant {
        person: person(device),
        device: key(device),
        box_key: BoxKey([9; 32]),
        rights,
        rank,
        role: 1,
        compartments: vec![TEAM.to_owned()],
        invitation: None,
    }
}

fn cuts(device: usize, last: u64) -> Vec<Cut> {
    vec![Cut { log: data_log(device), last, link: Link([7; 32]) }]
}
