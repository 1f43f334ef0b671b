//! The one settings file of a hub, in TOML; `docs/hub.md` explains every key.
//!
//! Only `origin` and `data` have to be there. Unknown keys are refused: a typing mistake in a
//! limit must not become a default. Must not know: what the limits are used for.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::ids::SpaceId;

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// The public base address without a slash at its end, such as `https://hub.example.org`.
    /// Devices sign it when they log in, so a login at one hub is no use at another.
    pub origin: String,
    /// The folder of database and key; made when it is not there.
    pub data: PathBuf,
    /// Who may bring a new team.
    #[serde(default)]
    pub registration: Registration,
    /// Certificate and key; without them the hub speaks plain HTTP, for a proxy on the same
    /// machine.
    pub tls: Option<Tls>,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
}

/// Who may bring a new team.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// Nobody; teams that are here go on.
    #[default]
    Closed,
    /// Everybody.
    Open,
    /// These spaces.
    #[serde(untagged)]
    Listed(Vec<SpaceId>),
}

impl Registration {
    /// Tells whether a space may be founded here.
    #[must_use]
    pub fn allows(&self, space: &SpaceId) -> bool {
        match self {
            Self::Closed => false,
            Self::Open => true,
            Self::Listed(spaces) => spaces.contains(space),
        }
    }
}

/// Files in PEM.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate and those that vouch for it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Bounds; sizes in bytes, times in seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Until the head of a request is there, also between two requests of a connection.
    pub header_s: u64,
    /// Until the body of a request is there.
    pub body_s: u64,
    /// Without taking a byte that was sent, or 16 KiB of an answer.
    pub write_s: u64,
    /// For requests to end when the hub stops.
    pub stop_s: u64,
    /// Requests of one device per second, and at once.
    pub device_rate: u32,
    /// How many requests a device may save up.
    pub device_burst: u32,
    /// Requests of one device at the same time, waiting ones too.
    pub device_parallel: u32,
    /// Requests without login to one space or mailbox per second.
    pub door_rate: u32,
    /// How many of these may be saved up.
    pub door_burst: u32,
    /// Requests without login at the same time, over all.
    pub door_parallel: usize,
    /// Requests without login that wait for a mailbox at the same time, over all.
    pub door_waiting: usize,
    /// Bodies in memory: of members, of logins, and of the rest without login, each.
    pub body_bytes: usize,
    /// Answers in memory that were not taken yet: of members, and of others, each.
    pub answer_bytes: usize,
    /// Spaces.
    pub spaces: usize,
    /// Devices of a space.
    pub devices: usize,
    /// Everything of a space.
    pub space_bytes: u64,
    /// What one device brought of it.
    pub device_bytes: u64,
    /// Control logs of a space that came without login.
    pub control_bytes: u64,
    /// All mailboxes.
    pub mailbox_bytes: u64,
    /// Uploads are refused when the disk has less room than this.
    pub free_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8_192,
            header_s: 10,
            body_s: 60,
            write_s: 60,
            stop_s: 10,
            device_rate: 20,
            device_burst: 60,
            device_parallel: 8,
            door_rate: 2,
            door_burst: 20,
            door_parallel: 64,
            door_waiting: 256,
            body_bytes: 256 << 20,
            answer_bytes: 256 << 20,
            spaces: 10_000,
            devices: 200,
            space_bytes: 2 << 30,
            device_bytes: 512 << 20,
            control_bytes: 64 << 20,
            mailbox_bytes: 64 << 20,
            free_bytes: 256 << 20,
        }
    }
}

impl Config {
    /// Returns default settings for a hub on a free port of this machine.
    #[must_use]
    pub fn loopback(data: &Path) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            origin: "http://localhost".to_owned(),
            data: data.to_owned(),
            registration: Registration::Open,
            tls: None,
            limits: Limits::default(),
        }
    }

    /// Reads a settings file; relative paths in it start at its own folder.
    ///
    /// # Errors
    /// Of the file; `E-INVALID` with the line that is wrong.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file)?;
        let mut config = Self::parse(&text)?;
        let folder = file.parent().unwrap_or_else(|| Path::new("."));
        config.data = folder.join(&config.data);
        if let Some(tls) = &mut config.tls {
            tls.certificate = folder.join(&tls.certificate);
            tls.key = folder.join(&tls.key);
        }
        Ok(config)
    }

    /// Reads settings from their text.
    ///
    /// # Errors
    /// `E-INVALID` with the line that is wrong.
    pub fn parse(text: &str) -> Result<Self> {
        let config: Self = toml::from_str(text)
            .map_err(|error| Error::new(Kind::Invalid, format!("settings: {error}")))?;
        config.check()?;
        Ok(config)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let invalid = |what: &str| Err(Error::new(Kind::Invalid, format!("settings: {what}")));
        let known = self.origin.starts_with("https://") || self.origin.starts_with("http://");
        if !known || self.origin.ends_with('/') {
            return invalid("origin is https://name without a slash at its end");
        }
        let limits = &self.limits;
        let rates = [limits.device_rate, limits.device_burst, limits.device_parallel];
        let doors = [limits.door_rate, limits.door_burst];
        let bytes = limits.body_bytes.min(limits.answer_bytes) >> 20;
        let counts = [limits.connections, limits.door_parallel, bytes];
        if rates.contains(&0) || doors.contains(&0) || counts.contains(&0) {
            return invalid("a limit of zero would shut everybody out");
        }
        if [limits.header_s, limits.body_s, limits.write_s].contains(&0) {
            return invalid("a time of zero would shut everybody out");
        }
        Ok(())
    }
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8_080))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "origin = \"https://hub.example.org\"\ndata = \"d\"\n";

    #[test]
    fn two_keys_are_enough_and_nobody_may_found_by_default() {
        let config = Config::parse(SMALL).expect("settings");
        assert_eq!(config.registration, Registration::Closed);
        assert_eq!(config.limits.device_rate, 20);
        assert!(config.listen.ip().is_loopback() && config.tls.is_none());
    }

    #[test]
    fn registration_is_a_word_or_a_list_of_spaces() {
        let space = SpaceId([3; 16]);
        for (text, allowed) in [
            ("\"open\"".to_owned(), true),
            ("\"closed\"".to_owned(), false),
            (format!("[\"{space}\"]"), true),
            (format!("[\"{}\"]", SpaceId([4; 16])), false),
        ] {
            let config = Config::parse(&format!("{SMALL}registration = {text}\n"));
            assert_eq!(config.expect("settings").registration.allows(&space), allowed, "{text}");
        }
    }

    #[test]
    fn mistakes_are_refused() {
        for line in [
            "registration = \"maybe\"",
            "registration = [\"abc\"]",
            "orgin = \"x\"",
            "[limits]\nconections = 3",
            "[limits]\ndevice_rate = 0",
            "[tls]\ncertificate = \"a\"",
        ] {
            assert!(Config::parse(&format!("{SMALL}{line}\n")).is_err(), "{line}");
        }
        assert!(Config::parse("origin = \"hub.example.org\"\ndata = \"d\"").is_err());
        assert!(Config::parse("origin = \"https://a/\"\ndata = \"d\"").is_err());
    }
}
