//! Running programs: what runs is printed first, and a failure names it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Result;

/// A program to run, with its arguments, folder and environment.
pub struct Run {
    command: Command,
    shown: String,
}

impl Run {
    /// A program by name (looked for on PATH) or by path.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref();
        let shown = Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned();
        Self { command: Command::new(program), shown }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        let argument = argument.as_ref();
        self.shown.push(' ');
        self.shown.push_str(&argument.to_string_lossy());
        self.command.arg(argument);
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// One variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// One variable of its environment that is worth seeing in the printed line.
    #[must_use]
    pub fn shown_env(mut self, name: &str, value: &str) -> Self {
        self.shown = format!("{name}={value} {}", self.shown);
        self.env(name, value)
    }

    /// The folder it runs in.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs it to its end; anything but success is a failure.
    pub fn go(mut self) -> Result {
        self.announce();
        let status = self.command.status().map_err(|error| format!("{}: {error}", self.shown))?;
        if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", self.shown)) }
    }

    /// Runs it, passing its standard output on line by line and to `line` as well.
    pub fn tee(mut self, mut line: impl FnMut(&str)) -> Result {
        self.announce();
        let mut child =
            self.command.stdout(Stdio::piped()).spawn().map_err(|error| format!("{}: {error}", self.shown))?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut bytes = Vec::new();
        while output.read_until(b'\n', &mut bytes).map_err(|error| format!("{}: {error}", self.shown))? > 0 {
            // Bytes, because a test may print what is no UTF-8.
            let text = String::from_utf8_lossy(&bytes).into_owned();
            print!("{text}");
            let _ = std::io::stdout().flush();
            line(text.trim_end());
            bytes.clear();
        }
        let status = child.wait().map_err(|error| format!("{}: {error}", self.shown))?;
        if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", self.shown)) }
    }

    /// What it prints on standard output, or nothing if it cannot be run or fails. Prints nothing itself.
    pub fn output(mut self) -> Option<String> {
        let output = self.command.stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Becomes this program, so that whoever stops us stops it. Returns only if that fails.
    #[cfg(unix)]
    pub fn become_it(mut self) -> Result {
        use std::os::unix::process::CommandExt;
        self.announce();
        let error = self.command.exec();
        Err(format!("{}: {error}", self.shown))
    }

    /// Where a process cannot become another it waits for it.
    #[cfg(not(unix))]
    pub fn become_it(self) -> Result {
        self.go()
    }

    fn announce(&self) {
        println!("$ {}", self.shown);
        let _ = std::io::stdout().flush();
    }
}
