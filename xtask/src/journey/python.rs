//! The journey in Python: the package as it is in the checkout, with what was generated beside it.

use std::fs;
use std::process::Command;

use super::Kit;
use crate::Outcome;
use crate::cargo::run as call;

/// Runs it.
pub(crate) fn run(kit: &Kit) -> Outcome {
    let native = kit.build.join("tuquan");
    fs::remove_dir_all(&kit.build).ok();
    let failed = |error: std::io::Error| format!("{}: {error}", native.display());
    fs::create_dir_all(&native).map_err(failed)?;
    let copies = [
        (kit.root.join("bindings/python/tuquan"), vec!["__init__.py", "py.typed"]),
        (kit.generated.join("python"), vec!["tuquan_core.py", "tuquan_ffi.py"]),
        (kit.library.clone(), vec!["libtuquan_ffi.so"]),
    ];
    for (from, names) in copies {
        for name in names {
            fs::copy(from.join(name), native.join(name)).map_err(failed)?;
        }
    }
    let mut command = Command::new("python3");
    command.arg(kit.root.join("bindings/python/tests/journey.py"));
    call(kit.equip(command.env("PYTHONPATH", &kit.build)))
}
