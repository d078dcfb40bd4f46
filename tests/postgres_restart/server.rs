//! A PostgreSQL server in a temporary folder, which a test may kill.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Names the folder with the server's programs; `cargo xtask test` sets it.
const PROGRAMS: &str = "SWARMSTORE_TEST_POSTGRES_PROGRAMS";

/// Runs the server until its standard input ends, which happens also when the test is killed.
const UNTIL_WE_END: &str = r#"
exec 3<&0
"$1/postgres" -D "$2" -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=50 \
    </dev/null >>"$2/log" 2>&1 3<&- &
server=$!
( cat <&3 >/dev/null; kill -QUIT "$server" ) >/dev/null 2>&1 &
exec 3<&-
wait "$server"
"#;

pub struct Server {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    running: Option<Child>,
}

impl Server {
    /// Makes a database and starts a server on it.
    pub fn start() -> Self {
        let hint = "names no folder; `cargo xtask test --only postgres` sets it";
        let programs: PathBuf = std::env::var_os(PROGRAMS).unwrap_or_else(|| panic!("{PROGRAMS} {hint}")).into();
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Server { programs, folder, port, running: None };
        if is_root() {
            // The server refuses to run as root.
            assert!(Command::new("chown").arg("postgres").arg(server.folder.path()).status().unwrap().success());
        }
        let mut initdb = Server::command(&server.programs.join("initdb"));
        initdb.args(["--username=me", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"]);
        let made = initdb.arg(server.data()).stdout(Stdio::null()).status().unwrap();
        assert!(made.success());
        server.run();
        server
    }

    pub fn url(&self) -> String {
        format!("postgres://me@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it again, and waits until it answers.
    pub fn run(&mut self) {
        let deadline = Instant::now() + Duration::from_mins(1);
        let ready = ["-q", "-h", "127.0.0.1", "-p"];
        while !Command::new(self.programs.join("pg_isready"))
            .args(ready)
            .arg(self.port.to_string())
            .status()
            .unwrap()
            .success()
        {
            let log = || std::fs::read_to_string(self.data().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "{}", log());
            // It does not start while a process of the one before is about to end.
            if self.running.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some()) {
                let mut command = Server::command(&PathBuf::from("sh"));
                command.args(["-c", UNTIL_WE_END, "sh"]).arg(&self.programs).arg(self.data());
                self.running = Some(command.arg(self.port.to_string()).stdin(Stdio::piped()).spawn().unwrap());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills it on the spot; nothing is tidied up.
    pub fn kill(&mut self) {
        self.end("-KILL");
    }

    /// Stops it, which ends all connections.
    pub fn stop(&mut self) {
        self.end("-INT");
    }

    fn end(&mut self, signal: &str) {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let process = file.lines().next().unwrap();
        assert!(Command::new("kill").args([signal, process]).status().unwrap().success());
        let mut child = self.running.take().unwrap();
        child.wait().unwrap();
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program run as the user that the server wants to be.
    fn command(program: &PathBuf) -> Command {
        if !is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
