//! A PostgreSQL server for the tests: in a temporary folder, on a free port of this machine, gone when we are.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::files;
use crate::run::Run;
use crate::setup::postgres;

/// Runs the server until its standard input ends, which happens also when whoever started it is killed.
const UNTIL_WE_END: &str = r#"
trap '' INT TERM HUP
"$1/postgres" -D "$2/data" -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    -c max_connections=200 </dev/null >"$2/log" 2>&1 &
server=$!
cat >/dev/null
kill -QUIT "$server"
wait "$server"
"#;

/// How long the server may take to start.
const PATIENCE: Duration = Duration::from_mins(1);

/// Names the server to use, where one is there already.
pub const POSTGRES: &str = "SWARMSTORE_TEST_POSTGRES";

/// A server that runs until this is dropped.
pub struct Server {
    child: Child,
    folder: PathBuf,
    url: String,
}

impl Server {
    /// Makes a database and starts a server on it.
    pub fn start() -> Result<Self> {
        let programs = postgres::programs().ok_or("PostgreSQL is not there")?;
        let folder = std::env::temp_dir().join(format!("swarmstore-postgres-{}", std::process::id()));
        files::empty_folder(&folder)?;
        let password = folder.join("password");
        files::write(&password, "swarmstore\n")?;
        if is_root() {
            // The server refuses to run as root.
            Run::new("chown").args(["-R", "postgres"]).arg(&folder).go()?;
        }
        let initdb = || {
            as_server(programs.join("initdb"))
                .args(["--username=swarmstore", "--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"])
                .arg(format!("--pwfile={}", password.display()))
                .arg(format!("--pgdata={}", folder.join("data").display()))
        };
        // An order of text that is not ours by chance, where the server has one.
        let linguistic = initdb().args(["--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8"]).output();
        if linguistic.is_none() {
            initdb().args(["--locale=C"]).go()?;
        }
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).map_err(|e| e.to_string())?.port();
        let mut command = if is_root() { Command::new("runuser") } else { Command::new("sh") };
        if is_root() {
            command.args(["-u", "postgres", "--", "sh"]);
        }
        command.args(["-c", UNTIL_WE_END, "sh"]).arg(&programs).arg(&folder).arg(port.to_string());
        let child = command.stdin(Stdio::piped()).spawn().map_err(|error| format!("PostgreSQL: {error}"))?;
        let url = format!("postgres://swarmstore:swarmstore@127.0.0.1:{port}/postgres");
        let server = Server { child, folder, url };
        server.wait(&programs, port)?;
        println!("PostgreSQL runs on port {port}");
        Ok(server)
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn wait(&self, programs: &std::path::Path, port: u16) -> Result {
        let deadline = Instant::now() + PATIENCE;
        let ready = || {
            Run::new(programs.join("pg_isready")).args(["-q", "-h", "127.0.0.1", "-p"]).arg(port.to_string()).output()
        };
        while ready().is_none() {
            if Instant::now() >= deadline {
                let log = files::read(&self.folder.join("log")).unwrap_or_default();
                return Err(format!("PostgreSQL does not start:\n{log}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn is_root() -> bool {
    Run::new("id").arg("-u").output().as_deref() == Some("0")
}

/// A program of the server's, as the user that it wants to be.
fn as_server(program: PathBuf) -> Run {
    if is_root() { Run::new("runuser").args(["-u", "postgres", "--"]).arg(program) } else { Run::new(program) }
}
