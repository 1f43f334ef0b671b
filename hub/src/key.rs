//! The hub's own key, which signs receipts; and random bytes.
//!
//! Must not know: what is signed.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use tuquan_core::crypto::DeviceSecret;
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::ids::from_hex;

const FILE: &str = "hub.key";

/// Returns random bytes of the system.
///
/// # Errors
/// `E-IO` when it has none.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::new(Kind::Io, "no random bytes"))?;
    Ok(bytes)
}

/// Reads the key in `folder`, or makes it, readable by nobody else.
///
/// # Errors
/// Of the file; `E-FORMAT` when it is no key.
pub(crate) fn load(folder: &Path) -> Result<DeviceSecret> {
    let path = folder.join(FILE);
    let seed = match fs::read_to_string(&path) {
        Ok(text) => from_hex(text.trim())?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let seed: [u8; 32] = random()?;
            store(folder, &path, &seed)?;
            seed.to_vec()
        }
        Err(error) => return Err(error.into()),
    };
    let sign = <[u8; 32]>::try_from(seed.as_slice())
        .map_err(|_| Error::new(Kind::Format, "the key of the hub"))?;
    // A hub has nothing to unlock.
    Ok(DeviceSecret { sign, unbox: [0; 32] })
}

fn store(folder: &Path, path: &Path, seed: &[u8]) -> Result<()> {
    let fresh = folder.join("hub.key.new");
    // One that was left behind by a crash may be readable by others.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&fresh)?;
    file.write_all(tuquan_core::ids::to_hex(seed).as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    fs::File::open(folder)?.sync_all()?;
    Ok(())
}
