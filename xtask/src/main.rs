//! The project's build scripts: `cargo xtask setup | build | demo | test | bench | pack | check`.
//!
//! One file per command. What a command runs is printed before it runs, so that it can be repeated by hand; every
//! path comes from [`workspace::Workspace`] and every program's environment from [`setup::Tools`].

mod arrows;
mod bench;
mod blank;
mod build;
mod contract;
mod demo;
mod files;
mod pack;
mod postgres;
mod run;
mod rust_source;
mod setup;
mod test;
mod tool;
mod workspace;

use std::process::ExitCode;

use workspace::Workspace;

/// What every step returns. The text of a failure is for a person: what failed, and what to do about it.
pub type Result<T = ()> = std::result::Result<T, String>;

const HELP: &str = "\
cargo xtask COMMAND

  setup [build|demo|test|bench]   install what is missing, or name it with the command to type (default: test, everything)
  build [--dev]                   build the npm package into pkg/ (--dev: quick to build, large, slow)
  demo [--port N]                 build, then serve the demo in www/ and print its address
  test [--only STEP]...           everything CI runs; ends with one line per run of the contract suite
  bench [native|postgres|browser] [ARG]...
                                  build, then run the benchmarks; further arguments go to them
  pack                            build, then pack pkg/ into a tarball in target/
  check                           the arrows of ARCHITECTURE.md: who may know whom

Environment: CHROME, CHROMEDRIVER (programs to use), CC_wasm32_unknown_unknown, AR_wasm32_unknown_unknown (a clang
that knows wasm32, and its archiver), CARGO_TARGET_DIR.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("\nerror: {message}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result {
    let workspace = Workspace::find()?;
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", arguments),
    };
    match command {
        "setup" => setup::command(&workspace, rest),
        "build" => build::command(&workspace, rest),
        "demo" => demo::command(&workspace, rest),
        "test" => test::command(&workspace, rest),
        "bench" => bench::command(&workspace, rest),
        "pack" => no_more("pack", rest).and_then(|()| pack::command(&workspace)),
        "check" => no_more("check", rest).and_then(|()| arrows::check(&workspace)),
        "help" | "-h" | "--help" => {
            print!("{HELP}\nSteps of `test`, in order: {}\n", test::step_names());
            Ok(())
        }
        other => Err(format!("there is no command `{other}`\n\n{HELP}")),
    }
}

fn no_more(command: &str, arguments: &[String]) -> Result {
    match arguments.first() {
        None => Ok(()),
        Some(argument) => Err(format!("`{command}` has no argument `{argument}`")),
    }
}
