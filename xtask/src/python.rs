//! The Python package put together without a wheel, and environments for tools from PyPI.
//!
//! Must not know: what is done with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::cargo::run as call;

/// Makes a virtual environment; returns the folder of its programs.
pub(crate) fn environment(at: &Path) -> Result<PathBuf, String> {
    call(Command::new("python3").args(["-m", "venv"]).arg(at))?;
    Ok(at.join("bin"))
}

/// Puts the package together in `to` as the wheel has it: what the checkout has, what was generated,
/// and the library from its folder.
pub(crate) fn assemble(root: &Path, generated: &Path, library: &Path, to: &Path) -> Outcome {
    let package = to.join("tuquan");
    let native = package.join("_native");
    fs::remove_dir_all(to).ok();
    let failed = |error: std::io::Error| format!("{}: {error}", native.display());
    fs::create_dir_all(&native).map_err(failed)?;
    let copies = [
        (root.join("bindings/python/tuquan"), &package, vec!["__init__.py", "py.typed"]),
        (generated.join("python"), &native, vec!["tuquan_core.py", "tuquan_ffi.py"]),
        (library.to_owned(), &native, vec!["libtuquan_ffi.so"]),
    ];
    for (from, to, names) in copies {
        for name in names {
            fs::copy(from.join(name), to.join(name)).map_err(failed)?;
        }
    }
    fs::write(native.join("__init__.py"), "").map_err(failed)
}
