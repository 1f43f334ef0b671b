//! What a shared library says of itself: machine, alignment of its segments, what it exports and
//! needs. Reads ELF as it is specified, 32 and 64 bits, little-endian.
//!
//! Must not know: what is in the library.

use std::path::Path;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const SHT_DYNSYM: u32 = 11;
const DT_NEEDED: u64 = 1;
/// The type of a library.
const ET_DYN: u16 = 3;

/// What was read of a library.
pub(crate) struct Library {
    /// The number of the machine, `EM_...`.
    pub(crate) machine: u16,
    /// The smallest alignment of a segment that is loaded.
    pub(crate) alignment: u64,
    /// Names that it exports.
    pub(crate) exports: Vec<String>,
    /// Libraries that it needs.
    pub(crate) needs: Vec<String>,
}

impl Library {
    /// Reads a library's bytes; none when they are no such thing.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let is_wide = match bytes.get(..6)? {
            [0x7f, b'E', b'L', b'F', 1, 1] => false,
            [0x7f, b'E', b'L', b'F', 2, 1] => true,
            _ => return None,
        };
        let elf = Elf { bytes, is_wide };
        if elf.short(16)? != ET_DYN {
            return None;
        }
        let mut alignment = u64::MAX;
        let mut needs = Vec::new();
        let symbols = elf.symbols()?;
        for at in elf.segments()? {
            match elf.int(at)? {
                PT_LOAD => alignment = alignment.min(elf.segment_alignment(at)?),
                PT_DYNAMIC => needs = elf.needs(at, symbols.names)?,
                _ => {}
            }
        }
        let exports = elf.exports(&symbols)?;
        Some(Self { machine: elf.short(18)?, alignment, exports, needs })
    }

    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&bytes).ok_or_else(|| format!("{}: no shared library", path.display()))
    }
}

/// Returns a library that says of its segments that they have another alignment: for the check of
/// the check.
pub(crate) fn realigned(bytes: &[u8], alignment: u64) -> Option<Vec<u8>> {
    let elf = Elf { bytes, is_wide: *bytes.get(4)? == 2 };
    let loaded = elf.segments()?.into_iter().find(|at| elf.int(*at) == Some(PT_LOAD))?;
    let (at, width) = (loaded + elf.pick(28, 48), elf.pick(4, 8));
    let mut changed = bytes.to_vec();
    changed.get_mut(at..at + width)?.copy_from_slice(&alignment.to_le_bytes()[..width]);
    Some(changed)
}

struct Elf<'b> {
    bytes: &'b [u8],
    is_wide: bool,
}

/// The table of symbols for other libraries.
struct Symbols {
    at: usize,
    size: usize,
    entry: usize,
    /// Where the names of this table, and those of needed libraries, begin.
    names: usize,
}

impl Elf<'_> {
    fn pick(&self, narrow: usize, wide: usize) -> usize {
        if self.is_wide { wide } else { narrow }
    }

    fn short(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.bytes.get(at..at + 2)?.try_into().ok()?))
    }

    fn int(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes.get(at..at + 4)?.try_into().ok()?))
    }

    /// Reads a number as wide as an address.
    fn word(&self, at: usize) -> Option<u64> {
        if !self.is_wide {
            return self.int(at).map(u64::from);
        }
        Some(u64::from_le_bytes(self.bytes.get(at..at + 8)?.try_into().ok()?))
    }

    fn place(&self, at: usize) -> Option<usize> {
        usize::try_from(self.word(at)?).ok()
    }

    /// Returns where the entries of a table of headers are: its place stands at `at`, the size of
    /// an entry and their number at `shape`.
    fn table(&self, at: usize, shape: usize) -> Option<Vec<usize>> {
        let (start, size) = (self.place(at)?, usize::from(self.short(shape)?));
        let number = usize::from(self.short(shape + 2)?);
        Some((0..number).map(|index| start + index * size).collect())
    }

    fn segments(&self) -> Option<Vec<usize>> {
        self.table(self.pick(28, 32), self.pick(42, 54))
    }

    /// Returns the alignment of a segment; one whose place in the file does not fit it has none.
    fn segment_alignment(&self, at: usize) -> Option<u64> {
        let offset = self.word(at + self.pick(4, 8))?;
        let address = self.word(at + self.pick(8, 16))?;
        let alignment = self.word(at + self.pick(28, 48))?.max(1);
        Some(if offset % alignment == address % alignment { alignment } else { 1 })
    }

    fn symbols(&self) -> Option<Symbols> {
        let sections = self.table(self.pick(32, 40), self.pick(46, 58))?;
        let section = |at: usize| {
            Some(Symbols {
                at: self.place(at + self.pick(16, 24))?,
                size: self.place(at + self.pick(20, 32))?,
                entry: self.place(at + self.pick(36, 56))?,
                names: self.int(at + self.pick(24, 40))? as usize,
            })
        };
        let at = *sections.iter().find(|at| self.int(**at + 4) == Some(SHT_DYNSYM))?;
        let mut symbols = section(at)?;
        symbols.names = section(*sections.get(symbols.names)?)?.at;
        Some(symbols)
    }

    fn exports(&self, symbols: &Symbols) -> Option<Vec<String>> {
        let mut exports = Vec::new();
        for index in 1..symbols.size / symbols.entry.max(1) {
            let at = symbols.at + index * symbols.entry;
            // One of no section is needed here, not given.
            if self.short(at + self.pick(14, 6))? != 0 {
                exports.push(self.text(symbols.names + self.int(at)? as usize)?);
            }
        }
        Some(exports)
    }

    fn needs(&self, segment: usize, names: usize) -> Option<Vec<String>> {
        let start = self.place(segment + self.pick(4, 8))?;
        let size = self.place(segment + self.pick(16, 32))?;
        let word = self.pick(4, 8);
        let mut needs = Vec::new();
        for at in (start..start + size).step_by(word * 2) {
            match self.word(at)? {
                0 => break,
                DT_NEEDED => needs.push(self.text(names + self.place(at + word)?)?),
                _ => {}
            }
        }
        Some(needs)
    }

    fn text(&self, at: usize) -> Option<String> {
        let rest = self.bytes.get(at..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&rest[..end]).into_owned())
    }
}
