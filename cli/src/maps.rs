//! The column maps that the program carries, and which of them fits a file.
//!
//! Must not know: what becomes of the rows.

use std::{fs::File, path::Path};

use crate::{
    failure::{Failure, Outcome, unreadable},
    import::{ImportReader, Mapping},
    words::Words,
};

const MAPS: [(&str, &str); 5] = [
    ("tuquan", include_str!("../maps/tuquan.toml")),
    ("ucsd", include_str!("../maps/ucsd.toml")),
    ("uchicago", include_str!("../maps/uchicago.toml")),
    ("montgomery", include_str!("../maps/montgomery.toml")),
    ("vietnam", include_str!("../maps/vietnam.toml")),
];

/// Opens a file with the map that was named, or with the first one that its header fits.
pub(crate) fn open(
    words: &Words,
    path: &Path,
    map: Option<&str>,
) -> Outcome<(ImportReader, Mapping, String)> {
    // Asked first, so that a file that is not there is told as such.
    File::open(path).map_err(|error| unreadable(path, &error))?;
    if let Some(name) = map {
        let mapping = match MAPS.iter().find(|(known, _)| *known == name) {
            Some((_, toml)) => Mapping::parse(toml)?,
            None => Mapping::load(Path::new(name))?,
        };
        let reader = ImportReader::open(path, mapping.clone())?;
        return Ok((reader, mapping, name.to_owned()));
    }
    for (name, toml) in MAPS {
        let mapping = Mapping::parse(toml)?;
        if let Ok(reader) = ImportReader::open(path, mapping.clone()) {
            return Ok((reader, mapping, name.to_owned()));
        }
    }
    Err(Failure::file(words.get("usage.no_map")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_map_is_right() {
        for (name, toml) in MAPS {
            assert!(Mapping::parse(toml).is_ok(), "{name}");
        }
    }
}
