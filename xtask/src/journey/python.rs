//! The journey in Python: the package as it is in the checkout, with what was generated beside it.

use std::process::Command;

use super::Kit;
use crate::cargo::{read, run as call};
use crate::{Outcome, python as packaging};

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

fn assemble(kit: &Kit) -> Outcome {
    packaging::assemble(&kit.root, &kit.generated, &kit.library, &kit.build)
}
