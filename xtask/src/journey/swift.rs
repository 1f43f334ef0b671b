//! The journey in Swift: the package assembled beside what is built, tested with `swift test`.
//!
//! Must not know: what the journey does.

use std::process::Command;

use super::Kit;
use crate::cargo::{read, run as call};
use crate::swift::Swift;
use crate::{Outcome, swiftpm};

/// Runs it.
pub(crate) fn run(kit: &Kit) -> Outcome {
    swiftpm::assemble(&kit.root, &kit.generated.join("swift"), &kit.build)?;
    let swift = Swift::find_or_install()?;
    let strict = ["--disable-xctest", "-Xswiftc", "-warnings-as-errors"];
    let mut test = on(&swift, kit, "test");
    call(kit.equip(test.args(strict)))?;
    let mut example = on(&swift, kit, "run");
    call(kit.equip(example.arg("FirstNote").arg(&kit.work).arg(&kit.hub)))
}

/// Tells what crossing costs.
pub(super) fn cost(kit: &Kit) -> Result<Vec<u8>, String> {
    swiftpm::assemble(&kit.root, &kit.generated.join("swift"), &kit.build)?;
    let mut bench = on(&Swift::find_or_install()?, kit, "run");
    read(kit.equip(bench.args(["-c", "release", "TuquanBench"])))
}

/// Returns a call of `swift <verb>` on the assembled package.
fn on(swift: &Swift, kit: &Kit, verb: &str) -> Command {
    let journeys = kit.build.parent().unwrap_or(&kit.build);
    let mut command = swift.tool("swift", &[&kit.root, &kit.library, journeys]);
    command.arg(verb).arg("--package-path").arg(&kit.build);
    command
}
