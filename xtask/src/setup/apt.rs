//! Debian packages.

use super::Missing;
use crate::Result;
use crate::run::Run;
use crate::tool;

/// Installs the packages that have what is missing, where there is apt and we may use it.
pub fn install(missing: &[Missing]) -> Result {
    let packages = packages(missing);
    if packages.is_empty() {
        return Ok(());
    }
    let Some(prefix) = privilege() else {
        return Ok(());
    };
    apt_get(prefix, &["update"])?;
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(packages);
    apt_get(prefix, &arguments)
}

/// What a person has to do about what is missing.
pub fn explain(missing: &[Missing]) -> String {
    let mut lines = vec!["something is missing that has to be installed by hand:".to_owned()];
    lines.extend(missing.iter().map(|missing| match missing {
        Missing::Packages { what, elsewhere, .. } => format!("  {what}: {elsewhere}"),
        Missing::ByHand(what) => format!("  {what}"),
    }));
    let packages = packages(missing).join(" ");
    if !packages.is_empty() {
        lines.push("On Debian and Ubuntu:".to_owned());
        lines.push(format!("  sudo apt-get update && sudo apt-get install -y --no-install-recommends {packages}"));
    }
    lines.join("\n")
}

fn packages(missing: &[Missing]) -> Vec<&'static str> {
    missing
        .iter()
        .flat_map(|missing| match missing {
            Missing::Packages { packages, .. } => *packages,
            Missing::ByHand(_) => &[],
        })
        .copied()
        .collect()
}

/// The program that apt-get has to be run through, if any; `None` where there is no apt or no right to use it.
fn privilege() -> Option<&'static [&'static str]> {
    tool::find(&["apt-get"])?;
    if Run::new("id").arg("-u").output()? == "0" {
        return Some(&[]);
    }
    Run::new("sudo").args(["-n", "true"]).output().map(|_| ["sudo", "-n"].as_slice())
}

fn apt_get(prefix: &[&str], arguments: &[&str]) -> Result {
    // `env` carries the variable through sudo, which drops those it does not know.
    let words = [prefix, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat();
    Run::new(words[0]).args(&words[1..]).go()
}
