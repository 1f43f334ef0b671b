//! The folder of one device: its key and, below it, its store.
//!
//! The key is 32 random bytes in `DIR/key` (mode 0600) or in a file of its own, or comes from a
//! passphrase by Argon2id with the salt in `DIR/salt`. Must not know: what the store holds.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use argon2::{Algorithm, Argon2, Params, Version};
use tuquan_core::{
    door::{Config, Tuquan},
    error::{Error, Kind},
    ids::{from_hex, to_hex},
    replica::salvage::Salvaged,
    store::open::Location,
};
use tuquan_net::system;

use crate::failure::{Failure, Outcome, unreadable, unwritable};

const STORE: &str = "store";
const KEY: &str = "key";
const FENCE: &str = "fence";
const SALT: &str = "salt";
const SALT_LEN: usize = 16;
/// Argon2id: 64 MiB, three passes, one lane (RFC 9106, second choice, with one lane).
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;

/// Where a device's store is and where its key comes from.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    /// The folder.
    pub(crate) dir: PathBuf,
    /// The file that holds the key instead of `DIR/key`.
    pub(crate) key_file: Option<PathBuf>,
    /// The file that says what has left the device, instead of `DIR/fence`.
    pub(crate) fence: Option<PathBuf>,
    /// The passphrase that the key comes from instead.
    pub(crate) passphrase: Option<String>,
}

impl Home {
    /// Opens the store of a device that was made before.
    pub(crate) fn open(&self) -> Outcome<Tuquan> {
        if !self.dir.join(STORE).is_dir() {
            let what = self.dir.display().to_string();
            return Err(Error::new(Kind::NotReady, what).into());
        }
        self.open_with(self.key()?)
    }

    /// Makes a new store of what can be read of a damaged one, which stays beside it.
    pub(crate) fn salvage(&self, progress: &mut dyn FnMut(u64, u64)) -> Outcome<Salvaged> {
        let location = self.location(self.key()?);
        Ok(Tuquan::salvage(&Config::new(location), system::env(), progress)?)
    }

    /// Returns where the store keeps a file of this name.
    pub(crate) fn in_store(&self, name: &str) -> PathBuf {
        self.dir.join(STORE).join(name)
    }

    /// Opens the store, making folder, key and store where they are missing.
    pub(crate) fn make(&self) -> Outcome<Tuquan> {
        fs::create_dir_all(&self.dir).map_err(|error| unwritable(&self.dir, &error))?;
        match &self.passphrase {
            Some(_) => make_secret::<SALT_LEN>(&self.dir.join(SALT))?,
            None => make_secret::<32>(&self.key_path())?,
        }
        self.open_with(self.key()?)
    }

    fn open_with(&self, key: [u8; 32]) -> Outcome<Tuquan> {
        Ok(Tuquan::open(Config::new(self.location(key)), system::env())?)
    }

    fn location(&self, key: [u8; 32]) -> Location {
        let fence = self.fence.clone().unwrap_or_else(|| self.dir.join(FENCE));
        Location { fence: Some(fence), ..Location::new(self.dir.join(STORE), key) }
    }

    fn key_path(&self) -> PathBuf {
        match &self.key_file {
            Some(path) => path.clone(),
            None => self.dir.join(KEY),
        }
    }

    fn key(&self) -> Outcome<[u8; 32]> {
        let Some(passphrase) = &self.passphrase else {
            return read_secret(&self.key_path());
        };
        let salt: [u8; SALT_LEN] = read_secret(&self.dir.join(SALT))?;
        let failed = |what: &str| Failure::from(Error::new(Kind::DbKey, what));
        let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).map_err(|_| failed("argon2"))?;
        let mut key = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &salt, &mut key)
            .map_err(|_| failed("argon2"))?;
        Ok(key)
    }
}

/// Writes random bytes into a new file that only its owner reads; one that is there stays.
fn make_secret<const N: usize>(path: &Path) -> Outcome<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let failed = |error: std::io::Error| unwritable(path, &error);
    match options.open(path) {
        Ok(mut file) => {
            let text = to_hex(&system::random::<N>());
            writeln!(file, "{text}").map_err(failed)?;
            file.sync_all().map_err(failed)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

fn read_secret<const N: usize>(path: &Path) -> Outcome<[u8; N]> {
    let bad = || Failure::from(Error::new(Kind::DbKey, path.display().to_string()));
    let text = fs::read_to_string(path).map_err(|_| bad())?;
    let bytes = from_hex(text.trim()).map_err(|_| bad())?;
    bytes.try_into().map_err(|_| bad())
}

/// Reads a passphrase from the first line of a file.
pub(crate) fn read_passphrase(path: &Path) -> Outcome<String> {
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
