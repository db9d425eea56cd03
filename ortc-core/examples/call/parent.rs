//! The parent process: starts both sides, carries their messages as a signalling server would, and
//! prints what happened.

use core::error::Error;
use core::time::Duration;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};

use serde_json::Value;

use crate::report::Report;
use crate::verdict::Verdict;
use crate::{Arguments, Part, system};

/// A call that has not ended this long after its media has hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest file lasts 16 s.
const LONGEST: f64 = 16.0;

/// A child process and the pipe to it.
struct Side {
    child: Child,
    pipe: Option<ChildStdin>,
}

/// Which child a line comes from: callers by their number, the callee as none.
type From = Option<usize>;

/// Runs the call; whether everything was as it should be.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    std::fs::create_dir_all(&arguments.out)?;
    let callers = if arguments.fork { 2 } else { 1 };
    let (sender, lines) = channel();
    let mut callee = start(arguments, None, &sender)?;
    let mut sides = Vec::new();
    for number in 0..callers {
        sides.push(start(arguments, Some(number), &sender)?);
    }
    drop(sender);

    let mut reports = Vec::new();
    // What the callee signalled first: every caller gets it, whenever it starts.
    let end = system::now()
        + Duration::from_secs_f64(arguments.seconds.unwrap_or(LONGEST).min(LONGEST))
        + PATIENCE;
    let mut open = sides.len();
    loop {
        let left = end.saturating_duration_since(system::now());
        let (from, line) = match lines.recv_timeout(left) {
            Ok(received) => received,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                eprintln!("the call does not end");
                for side in sides.iter_mut().chain([&mut callee]) {
                    side.child.kill()?;
                }
                break;
            }
        };
        match (from, line) {
            (from, Some(line)) => {
                let mut message: Value = serde_json::from_str(&line)?;
                if let Some(report) = message.get_mut("report") {
                    reports.push(serde_json::from_value::<Report>(report.take())?);
                    continue;
                }
                let answer = message.get("answer").and_then(Value::as_u64);
                match (from, answer) {
                    (Some(number), _) => {
                        if let Some(members) = message.as_object_mut() {
                            members.insert("answer".to_owned(), number.into());
                        }
                        callee.tell(&message);
                    }
                    (None, Some(answer)) => {
                        let side = sides.get_mut(usize::try_from(answer)?);
                        side.ok_or("no such answer")?.tell(&message);
                    }
                    (None, None) => sides.iter_mut().for_each(|side| side.tell(&message)),
                }
            }
            // Whoever has hung up closes its end; when all callers have, the callee may go.
            (Some(_), None) => {
                open -= 1;
                if open == 0 {
                    callee.pipe = None;
                }
            }
            (None, None) => sides.iter_mut().for_each(|side| side.pipe = None),
        }
    }
    let mut exited = true;
    for side in sides.iter_mut().chain([&mut callee]) {
        exited &= side.child.wait()?.success();
    }

    reports.sort_by_key(|report| (report.answer, report.who.clone()));
    for report in &reports {
        println!("\n{}", report.print());
    }
    let mut verdict = Verdict::default();
    verdict.check("both sides ran to their end", exited);
    verdict.judge(&reports, arguments)?;
    Ok(verdict.print())
}

fn start(
    arguments: &Arguments,
    caller: From,
    lines: &Sender<(From, Option<String>)>,
) -> Result<Side, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    let part = match caller {
        Some(_) => Part::Caller,
        None => Part::Callee,
    };
    command.args(["--part", part.name()]);
    command.args(["--loss", &arguments.loss.to_string()]);
    command.args(["--seed", &arguments.seed.to_string()]);
    if let Some(seconds) = arguments.seconds {
        command.args(["--seconds", &seconds.to_string()]);
    }
    if arguments.fork {
        command.arg("--fork");
    }
    if let Some(number) = caller {
        command.args(["--answer", &number.to_string()]);
    }
    command.arg("--out").arg(&arguments.out);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("a child without output")?;
    let lines = lines.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if lines.send((caller, Some(line))).is_err() {
                return;
            }
        }
        let _ = lines.send((caller, None));
    });
    Ok(Side {
        pipe: child.stdin.take(),
        child,
    })
}

impl Side {
    /// A side that has hung up reads no more.
    fn tell(&mut self, message: &Value) {
        let written = match &mut self.pipe {
            Some(pipe) => writeln!(pipe, "{message}").and_then(|()| pipe.flush()),
            None => Ok(()),
        };
        if written.is_err() {
            self.pipe = None;
        }
    }
}
