//! This program as another process.

use crate::place::Kind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const KIND: &str = "SWARMSTORE_TEST_KIND";
const FOLDER: &str = "SWARMSTORE_TEST_FOLDER";

/// What this process is to do, if it is the other one.
pub fn orders() -> Option<(Kind, PathBuf)> {
    let kind = std::env::var(KIND).ok()?;
    Some((Kind::named(&kind), PathBuf::from(std::env::var_os(FOLDER)?)))
}

/// One test of this program, to be run in another process, which finds its [`orders`]. With `limits`, a shell's commands
/// come first.
pub fn command(test: &str, kind: Kind, folder: &Path, limits: Option<&str>) -> Command {
    let program = std::env::current_exe().expect("this program");
    let mut command = match limits {
        Some(limits) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("{limits}; exec \"$0\" \"$@\"")]).arg(program);
            shell
        }
        None => Command::new(program),
    };
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(KIND, kind.name())
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    command
}

/// Says one thing to the parent, at once.
pub fn say(what: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    // A parent that went away takes this process with it.
    writeln!(out, "child: {what}").and_then(|()| out.flush()).expect("the parent listens");
}

/// What a line of the other process says.
pub fn said(line: &str) -> Option<&str> {
    line.split_once("child: ").map(|(_, what)| what)
}
