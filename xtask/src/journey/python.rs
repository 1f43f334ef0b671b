//! The journey in Python: the package as it is in the checkout, with what was generated beside it.

use std::fs;
use std::process::Command;

use super::Kit;
use crate::Outcome;
use crate::cargo::{read, run as call};

/// Runs it.
pub(crate) fn run(kit: &Kit) -> Outcome {
    assemble(kit)?;
    call(&mut journey(kit))?;
    let mut example = Command::new("python3");
    example.arg(kit.root.join("bindings/python/examples/first_note.py"));
    example.args([kit.work.as_os_str(), kit.hub.as_ref()]).env("PYTHONPATH", &kit.build);
    let said = read(&mut example)?;
    let said = String::from_utf8_lossy(&said);
    if said.contains("at the hub: True") { Ok(()) } else { Err(format!("the example said {said}")) }
}

/// Returns the host of another language's guest.
pub(super) fn host(kit: &Kit) -> Result<Command, String> {
    assemble(kit)?;
    let mut command = Command::new("python3");
    command.arg(kit.root.join("bindings/python/tests/host.py"));
    kit.equip(command.env("PYTHONPATH", &kit.build));
    Ok(command)
}

/// Tells what crossing costs.
pub(super) fn cost(kit: &Kit) -> Result<Vec<u8>, String> {
    assemble(kit)?;
    read(journey(kit).arg("--cost"))
}

fn journey(kit: &Kit) -> Command {
    let mut command = Command::new("python3");
    command.arg(kit.root.join("bindings/python/tests/journey.py"));
    kit.equip(command.env("PYTHONPATH", &kit.build));
    command
}

/// Puts the package together as the wheel has it.
fn assemble(kit: &Kit) -> Outcome {
    let package = kit.build.join("tuquan");
    let native = package.join("_native");
    fs::remove_dir_all(&kit.build).ok();
    let failed = |error: std::io::Error| format!("{}: {error}", native.display());
    fs::create_dir_all(&native).map_err(failed)?;
    let copies = [
        (kit.root.join("bindings/python/tuquan"), &package, vec!["__init__.py", "py.typed"]),
        (kit.generated.join("python"), &native, vec!["tuquan_core.py", "tuquan_ffi.py"]),
        (kit.library.clone(), &native, vec!["libtuquan_ffi.so"]),
    ];
    for (from, to, names) in copies {
        for name in names {
            fs::copy(from.join(name), to.join(name)).map_err(failed)?;
        }
    }
    fs::write(native.join("__init__.py"), "").map_err(failed)
}
