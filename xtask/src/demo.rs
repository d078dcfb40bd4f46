//! `cargo xtask demo`: the package, the demo built with it, and a server for both.

use std::net::TcpListener;

use crate::Result;
use crate::build::{self, Profile};
use crate::run::Run;
use crate::setup::npm;
use crate::setup::{self, For};
use crate::workspace::Workspace;

const FIRST_PORT: u16 = 4173;

/// `cargo xtask demo [--port N]`
pub fn command(workspace: &Workspace, arguments: &[String]) -> Result {
    let wanted = match arguments {
        [] => None,
        [flag, port] if flag == "--port" => {
            Some(port.parse::<u16>().map_err(|_| format!("`{port}` is no port number"))?)
        }
        _ => return Err("`demo` has one argument, --port N".to_owned()),
    };
    let tools = setup::prepare(workspace, For::Demo)?;
    build::package(workspace, &tools, Profile::Release)?;
    site(workspace)?;
    let port = match wanted {
        Some(port) => port,
        None => free_port()?,
    };
    println!("\nThe demo: http://127.0.0.1:{port}/   (Ctrl-C stops it)\n");
    // Vite itself, not npm around it: whoever stops this process stops the server.
    Run::new("node")
        .args(["node_modules/vite/bin/vite.js", "preview", "--host", "127.0.0.1", "--strictPort", "--port"])
        .arg(port.to_string())
        .folder(&workspace.path("www"))
        .become_it()
}

/// Builds www/ as it would be deployed.
pub fn site(workspace: &Workspace) -> Result {
    let www = workspace.path("www");
    npm::install(&www)?;
    npm::npm()?.args(["run", "--silent", "build"]).folder(&www).go()
}

fn free_port() -> Result<u16> {
    (FIRST_PORT..FIRST_PORT + 100)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .ok_or_else(|| format!("no port from {FIRST_PORT} on is free; choose one with --port"))
}
