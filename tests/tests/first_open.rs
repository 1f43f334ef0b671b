//! The first stores of a process, opened by several threads at once: SQLite says that it is ready
//! before its cipher is. Only the first moment of a process counts, so the test starts itself anew,
//! several at a time, as the cores must be wanted by others: one in ten of them failed.

use std::process::{Command, Stdio};
use std::sync::Barrier;

use tuquan_core::store::open::writer;
use tuquan_tests::phone::{Folder, location};

const IS_CHILD: &str = "TUQUAN_FIRST_OPEN";
const ROUNDS: usize = 15;
const AT_ONCE: usize = 8;
const THREADS: usize = 8;

#[test]
fn stores_that_are_opened_at_once_as_the_first_ones_all_open() {
    if std::env::var_os(IS_CHILD).is_some() {
        return open_at_once();
    }
    let me = std::env::current_exe().expect("known");
    for round in 0..ROUNDS {
        let start = |_| {
            let mut child = Command::new(&me);
            child.env(IS_CHILD, "1").stdout(Stdio::piped()).stderr(Stdio::piped());
            child.spawn().expect("started")
        };
        let children: Vec<_> = (0..AT_ONCE).map(start).collect();
        for child in children {
            let ended = child.wait_with_output().expect("ended");
            let said = String::from_utf8_lossy(&ended.stdout);
            assert!(ended.status.success(), "round {round}: {said}");
        }
    }
}

fn open_at_once() {
    let start = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let folder = Folder::new("first");
                let place = location(folder.path(), None);
                start.wait();
                writer(&place).expect("opened");
            });
        }
    });
}
