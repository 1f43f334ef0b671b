//! A salvaged store takes the place of a damaged one, whatever happens meanwhile.
//!
//! The new store is made in a folder of its own inside the store's. A note in that folder, written
//! last, says that it is complete and what the damaged file is to be called; from then on the
//! exchange is finished by whoever opens the store next. Must not know: what is in either file.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::open::{DATABASE, Location, write_durably};
use crate::error::{Error, Kind, Result};

const FOLDER: &str = "salvage";
const COMPLETE: &str = "complete";

/// A salvage under way.
#[derive(Debug)]
pub struct Exchange {
    dir: PathBuf,
    folder: PathBuf,
}

impl Exchange {
    /// Makes the folder for a new store, without anything from a salvage that was cut off.
    ///
    /// # Errors
    /// `E-FULL`, `E-IO`; `E-INVALID` for a store that is not in the system's files.
    pub fn start(location: &Location) -> Result<Self> {
        if location.vfs.is_some() {
            return Err(Error::new(Kind::Invalid, "a store on a disk of its own"));
        }
        let folder = location.dir.join(FOLDER);
        remove(&folder)?;
        fs::create_dir_all(folder.join("scratch"))?;
        Ok(Self { dir: location.dir.clone(), folder })
    }

    /// Returns the folder for copies, which goes with the exchange.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        self.folder.join("scratch")
    }

    /// Names the new store.
    #[must_use]
    pub fn location(&self, of: &Location) -> Location {
        // The fence stays with the store that is in its place.
        Location { dir: self.folder.clone(), fence: None, ..of.clone() }
    }

    /// Puts the new store, which must be closed and whole, in the place of the damaged one; returns
    /// the name that the damaged file has now, in the same folder.
    ///
    /// # Errors
    /// `E-FULL`, `E-IO`; whoever opens the store next finishes it then.
    pub fn finish(self) -> Result<String> {
        let log = self.folder.join(format!("{DATABASE}-wal"));
        if fs::metadata(log).is_ok_and(|log| log.len() > 0) {
            return Err(Error::new(Kind::Io, "the new store is not closed"));
        }
        let name = free_name(&self.dir);
        fs::File::open(self.folder.join(DATABASE))?.sync_all()?;
        write_durably(&self.folder.join(COMPLETE), name.as_bytes())?;
        finish(&self.dir)?;
        Ok(name)
    }

    /// Gives up: the damaged store stays where it is.
    ///
    /// # Errors
    /// `E-IO`.
    pub fn cancel(self) -> Result<()> {
        remove(&self.folder)
    }
}

/// Finishes an exchange that was cut off after its new store was complete.
///
/// # Errors
/// `E-IO`.
pub fn finish(dir: &Path) -> Result<()> {
    let folder = dir.join(FOLDER);
    let name = match fs::read_to_string(folder.join(COMPLETE)) {
        Ok(name) => name,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let (new, place) = (folder.join(DATABASE), dir.join(DATABASE));
    if new.is_file() {
        for end in ["", "-wal"] {
            let from = dir.join(format!("{DATABASE}{end}"));
            if from.is_file() {
                fs::rename(from, dir.join(format!("{name}{end}")))?;
            }
        }
        remove(&dir.join(format!("{DATABASE}-shm")))?;
        // On disk before the new file: it must never meet the old one's log.
        fs::File::open(dir)?.sync_all()?;
        fs::rename(new, place)?;
        fs::File::open(dir)?.sync_all()?;
    }
    remove(&folder)
}

/// Returns the first of `store.db.damaged-1`, `-2` and so on that is free.
fn free_name(dir: &Path) -> String {
    let mut number = 1_u32;
    loop {
        let name = format!("{DATABASE}.damaged-{number}");
        if !dir.join(&name).exists() {
            return name;
        }
        number += 1;
    }
}

fn remove(path: &Path) -> Result<()> {
    let outcome = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match outcome {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
