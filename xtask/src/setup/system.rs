//! Packages of the operating system, by apt-get where there is one.
//!
//! It must never remove or upgrade anything.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use crate::{say, shell};

/// A package, and how to see that what it brings is there, wherever it came from.
struct Package {
    name: &'static str,
    /// What it is to the tests, for those who must install it by hand.
    purpose: &'static str,
    find: fn() -> Option<PathBuf>,
}

/// `tests/e2e/browser.mjs`, `tests/e2e/firefox.mjs` and `tests/tests/ways/nginx.rs` look in the same
/// places.
const PACKAGES: &[Package] = &[
    Package {
        name: "chromium",
        purpose: "a Chromium at /usr/bin/chromium, or its path in the variable CHROMIUM",
        find: || told_or("CHROMIUM", || existing("/usr/bin/chromium")),
    },
    Package {
        name: "firefox-esr",
        purpose: "a Firefox at /usr/bin/firefox-esr, or its path in the variable FIREFOX",
        find: || told_or("FIREFOX", || existing("/usr/bin/firefox-esr")),
    },
    Package {
        name: "nginx",
        purpose: "nginx, found by its name, at /usr/sbin/nginx, or by its path in the variable NGINX",
        find: || {
            told_or("NGINX", || shell::on_path("nginx").or_else(|| existing("/usr/sbin/nginx")))
        },
    },
    Package { name: "curl", purpose: "curl, found by its name", find: || shell::on_path("curl") },
    Package {
        name: "mosquitto-clients",
        purpose: "mosquitto_pub, mosquitto_sub and mosquitto_rr, found by their names",
        find: || shell::on_path("mosquitto_rr"),
    },
    Package {
        name: "python3-pip",
        purpose: "python3 with pip, found by its name: it runs the clients in Python",
        find: || shell::on_path("pip3"),
    },
    Package {
        name: "wamerican",
        purpose: "a list of words at /usr/share/dict/words: real text to send",
        find: || existing("/usr/share/dict/words"),
    },
    Package {
        name: "valgrind",
        purpose: "valgrind with its tool dhat, found by its name: it counts instructions",
        find: || shell::on_path("valgrind"),
    },
];

/// Where an environment variable says that something is; without one, where it is found.
fn told_or(variable: &str, find: impl FnOnce() -> Option<PathBuf>) -> Option<PathBuf> {
    std::env::var_os(variable).map_or_else(find, existing)
}

fn existing(path: impl AsRef<Path>) -> Option<PathBuf> {
    path.as_ref().exists().then(|| path.as_ref().to_owned())
}

/// Installs the packages that are missing.
pub(crate) fn install() -> anyhow::Result<()> {
    let missing: Vec<&Package> = PACKAGES
        .iter()
        .filter(|package| match (package.find)() {
            Some(path) => {
                say::note(&format!("{}: {}", package.name, path.display()));
                false
            }
            None => true,
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let Some(apt) = shell::on_path("apt-get") else {
        bail!("there is no apt-get here; {}", by_hand(&missing));
    };
    let Some(lead) = lead() else {
        bail!("neither root nor sudo here; {}", by_hand(&missing));
    };
    // A package source that cannot be reached stops the update, but what is asked for here may
    // well be in the lists already.
    if let Err(error) = shell::run(&mut apt_get(lead, &apt, &["update"])) {
        say::warning(&format!("{error}; trying with the lists of packages as they are"));
    }
    let names = missing.iter().map(|package| package.name);
    let arguments: Vec<&str> =
        ["install", "--yes", "--no-install-recommends"].into_iter().chain(names).collect();
    shell::run(&mut apt_get(lead, &apt, &arguments))?;
    let absent: Vec<&Package> =
        missing.into_iter().filter(|package| (package.find)().is_none()).collect();
    if !absent.is_empty() {
        bail!("apt-get succeeded, and yet something is missing; {}", by_hand(&absent));
    }
    Ok(())
}

/// What to put before a command that only root may run; nothing fits when there is no sudo.
fn lead() -> Option<&'static [&'static str]> {
    if shell::answer(&mut shell::command("id", ["-u"])).as_deref() == Some("0") {
        return Some(&["env"]);
    }
    shell::on_path("sudo").map(|_| ["sudo", "env"].as_slice())
}

fn apt_get(lead: &[&str], apt: &Path, arguments: &[&str]) -> Command {
    let words = lead.iter().skip(1).copied().chain(["DEBIAN_FRONTEND=noninteractive"]);
    let mut command = shell::command(lead.first().unwrap_or(&"env"), words);
    command.arg(apt).args(arguments);
    command
}

/// Says what to install by hand.
fn by_hand(missing: &[&Package]) -> String {
    let mut text = String::from("install these by hand and run this again:");
    for package in missing {
        text.push_str(&format!("\n  {} ({})", package.name, package.purpose));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apt_get_asks_no_questions_and_runs_as_root() {
        let command = apt_get(&["sudo", "env"], Path::new("/usr/bin/apt-get"), &["update"]);
        let words: Vec<_> = command.get_args().collect();
        assert_eq!(command.get_program(), "sudo");
        assert_eq!(words, ["env", "DEBIAN_FRONTEND=noninteractive", "/usr/bin/apt-get", "update"]);
    }

    #[test]
    fn what_to_do_by_hand_names_package_and_purpose() {
        let text = by_hand(&PACKAGES.iter().collect::<Vec<_>>());
        for package in PACKAGES {
            assert!(text.contains(package.name) && text.contains(package.purpose), "{text}");
        }
    }
}
