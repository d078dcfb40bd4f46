//! Chromium, and the driver through which wasm-bindgen's test runner talks to it.

use std::ffi::OsString;
use std::path::PathBuf;

use super::Missing;
use crate::Result;
use crate::files;
use crate::tool;
use crate::workspace::Workspace;

fn chromium() -> Option<PathBuf> {
    tool::find_or_env("CHROME", &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"])
}

fn driver() -> Option<PathBuf> {
    tool::find_or_env("CHROMEDRIVER", &["chromedriver"])
}

pub fn chromium_missing() -> Option<Missing> {
    chromium().is_none().then_some(Missing::Packages {
        what: "Chromium",
        packages: &["chromium"],
        elsewhere: "install Chromium or Chrome, and name the program in CHROME if it is not on PATH",
    })
}

pub fn driver_missing() -> Option<Missing> {
    driver().is_none().then_some(Missing::Packages {
        what: "chromedriver",
        packages: &["chromium-driver"],
        elsewhere: "install the chromedriver of the same version as Chromium \
                    (https://googlechromelabs.github.io/chrome-for-testing), and name it in CHROMEDRIVER if it is not on \
                    PATH",
    })
}

/// The variables by which the tests find both.
pub fn environment(workspace: &Workspace) -> Result<Vec<(OsString, OsString)>> {
    let mut environment = Vec::new();
    if let Some(chromium) = chromium() {
        // The driver finds a browser of its own, unless someone asked for another one.
        if std::env::var_os("CHROME").is_some() {
            let capabilities = workspace.target("xtask/webdriver.json");
            let args = files::read(&workspace.path("webdriver.json"))?;
            let binary = format!("\"goog:chromeOptions\": {{\n    \"binary\": {:?},", chromium.display().to_string());
            files::write(&capabilities, args.replacen("\"goog:chromeOptions\": {", &binary, 1))?;
            environment.push(("WASM_BINDGEN_TEST_WEBDRIVER_JSON".into(), capabilities.into()));
        }
        environment.push(("CHROME".into(), chromium.into()));
    }
    if let Some(driver) = driver() {
        environment.push(("CHROMEDRIVER".into(), driver.into()));
    }
    Ok(environment)
}
