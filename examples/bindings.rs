//! Writes the JavaScript and TypeScript that are generated from the table of operations into a folder.

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).expect("usage: bindings FOLDER");
    let folder = std::path::Path::new(&folder);
    std::fs::write(folder.join("operations.js"), swarmstore::api::javascript())?;
    std::fs::write(folder.join("operations.d.ts"), swarmstore::api::typescript())
}
