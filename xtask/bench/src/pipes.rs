//! Two processes and the pipes between them: started, carried, counted, timed.
//!
//! Must not know: what was prepared, what the figures mean.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use serde_json::{Value, json};
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::sync::session::{Options, Session, Side};

use crate::store;
use crate::sync::{self, JOB};

/// What a sync of two processes took.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// From the start of the first process's session to the end of both.
    pub(crate) seconds: f64,
    /// Bytes both ways.
    pub(crate) bytes: u64,
    pub(crate) a_to_b: u64,
    pub(crate) b_to_a: u64,
    /// Frames that each side sent.
    pub(crate) a_frames: u64,
    pub(crate) b_frames: u64,
    /// Until the second process could list its first page.
    pub(crate) first_page_seconds: f64,
    /// Processor time of both sides together.
    pub(crate) cpu_seconds: f64,
    pub(crate) a_peak_kib: u64,
    pub(crate) b_peak_kib: u64,
}

/// Syncs the stores in two folders, one process each.
pub(crate) fn sync(a: &Path, b: &Path, what: &str) -> Result<Outcome> {
    run(&["replica", what, "a"], a, &["replica", what, "b"], b)
}

/// Runs two children against each other, with a folder each.
fn run(a: &[&str], a_dir: &Path, b: &[&str], b_dir: &Path) -> Result<Outcome> {
    let (mut left, mut right) = (start(a, a_dir)?, start(b, b_dir)?);
    let failed = || Error::new(Kind::Io, "a child of the bench failed");
    let (mut a_in, a_out) = (left.stdin.take().ok_or_else(failed)?, left.stdout.take());
    let (mut b_in, b_out) = (right.stdin.take().ok_or_else(failed)?, right.stdout.take());
    let mut a_log = BufReader::new(left.stderr.take().ok_or_else(failed)?);
    let mut b_log = BufReader::new(right.stderr.take().ok_or_else(failed)?);
    for log in [&mut a_log as &mut dyn BufRead, &mut b_log] {
        let mut line = String::new();
        log.read_line(&mut line)?;
        if line.trim() != "ready" {
            return Err(Error::new(Kind::Io, format!("a child of the bench said {line}")));
        }
    }
    a_in.write_all(b"g")?;
    b_in.write_all(b"g")?;
    let there = carry(a_out.ok_or_else(failed)?, b_in);
    let back = carry(b_out.ok_or_else(failed)?, a_in);
    let (mut a_says, mut b_says) = (String::new(), String::new());
    a_log.read_to_string(&mut a_says)?;
    b_log.read_to_string(&mut b_says)?;
    let (left, right) = (left.wait()?, right.wait()?);
    if !left.success() || !right.success() {
        return Err(Error::new(Kind::Io, format!("a child failed: {a_says} {b_says}")));
    }
    let a_to_b = there.join().map_err(|_| failed())?;
    let b_to_a = back.join().map_err(|_| failed())?;
    let read = |text: &str| serde_json::from_str::<Value>(text).map_err(|_| failed());
    let (a, b) = (read(&a_says)?, read(&b_says)?);
    let number = |from: &Value, key: &str| from[key].as_u64().unwrap_or_default();
    Ok(Outcome {
        seconds: a["seconds"].as_f64().unwrap_or(0.0).max(b["seconds"].as_f64().unwrap_or(0.0)),
        bytes: a_to_b + b_to_a,
        a_to_b,
        b_to_a,
        a_frames: number(&a, "frames"),
        b_frames: number(&b, "frames"),
        first_page_seconds: b["first_page"].as_f64().unwrap_or(0.0),
        cpu_seconds: (number(&a, "cpu_ms") + number(&b, "cpu_ms")) as f64 / 1e3,
        a_peak_kib: number(&a, "peak_kib"),
        b_peak_kib: number(&b, "peak_kib"),
    })
}

fn start(arguments: &[&str], folder: &Path) -> Result<Child> {
    Ok(Command::new(std::env::current_exe()?)
        .arg("child")
        .args(arguments)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?)
}

/// Carries bytes from one child to the other without ever holding the first one up.
fn carry(mut from: ChildStdout, mut to: ChildStdin) -> JoinHandle<u64> {
    let (sender, receiver) = channel::<Vec<u8>>();
    thread::spawn(move || {
        while let Ok(bytes) = receiver.recv() {
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        let (mut total, mut buffer) = (0, vec![0; 1 << 16]);
        while let Ok(count) = from.read(&mut buffer) {
            if count == 0 {
                break;
            }
            total += count as u64;
            if sender.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
        total
    })
}

/// The other side of [`start`]: one replica or one plain log.
pub(crate) fn child(arguments: &[String]) -> ExitCode {
    let outcome = match arguments {
        [what, kind, side, folder] if what == "replica" => {
            replica(kind, side == "a", Path::new(folder))
        }
        _ => Err(Error::new(Kind::Invalid, "unknown child")),
    };
    match outcome {
        Ok(said) => {
            eprintln!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Says that this child is ready and waits for the start.
fn ready() -> Result<Instant> {
    eprintln!("ready");
    std::io::stdin().lock().read_exact(&mut [0; 1])?;
    Ok(Instant::now())
}

fn replica(kind: &str, is_first: bool, folder: &Path) -> Result<Value> {
    let store = match kind {
        "job" => store::open_with(folder, if is_first { 5 } else { 6 }, JOB)?,
        _ => store::open(folder, if is_first { 5 } else { 6 })?,
    };
    if kind == "join" {
        sync::look(&store)?;
    }
    let begin = ready()?;
    let cpu_before = cpu_ms();
    let side = if is_first { Side::Initiator } else { Side::Responder };
    // The joining phone speaks first: it is the one that wants something.
    let side = match (kind, side) {
        ("join", Side::Initiator) => Side::Responder,
        ("join", Side::Responder) => Side::Initiator,
        (_, side) => side,
    };
    let now = || i64::try_from(begin.elapsed().as_millis()).unwrap_or(i64::MAX);
    let mut session = Session::new(side, now(), Options::default());
    let (mut frames, mut first_page) = (0_u64, None);
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    loop {
        while let Some(frame) = store.bulk(|replica| session.poll_transmit(replica))? {
            frames += 1;
            output.write_all(&frame)?;
            output.flush()?;
        }
        if session.has_ended() {
            break;
        }
        let frame = read_frame(&mut input)?;
        store.bulk(|replica| session.handle_message(replica, &frame, now()))?;
        while session.poll_event().is_some() {}
        if kind == "join" && !is_first && first_page.is_none() && sync::look(&store)? == 50 {
            first_page = Some(begin.elapsed().as_secs_f64());
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    if kind == "join" {
        sync::look(&store)?;
    }
    let (peak_kib, cpu_ms) = (peak_kib(), cpu_ms() - cpu_before);
    Ok(json!({
        "seconds": seconds, "frames": frames, "first_page": first_page, "peak_kib": peak_kib,
        "cpu_ms": cpu_ms,
    }))
}

fn read_frame(from: &mut impl Read) -> Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    from.read_exact(&mut frame)?;
    let len = u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize;
    frame.resize(4 + len, 0);
    from.read_exact(&mut frame[4..])?;
    Ok(frame)
}

/// Returns the most memory that this process ever had resident, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default()
}

/// Returns the processor time of this process so far, in ms (to 10 ms).
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10
}
